"""The kernel's view of every node: one exec a node in its node-agent Pod, after the probes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor as Threads
from dataclasses import dataclass, field

from scripts.evidence.conntrack import Entry, Index, parse
from scripts.probing import sections
from scripts.probing.executor import CompletedExec, Executor, Place, PodExecError
from scripts.probing.snapshot import PodInfo

BRIDGE_SWITCH = "/proc/sys/net/bridge/bridge-nf-call-iptables"
Listener = tuple[str, int]


@dataclass(frozen=True)
class NodeView:
    """What one node's kernel says. ``problem`` tells why it says less than it should."""

    entries: tuple[Entry, ...] = ()
    listeners: frozenset[Listener] = frozenset()
    addresses: frozenset[str] = frozenset()
    filters_bridge: bool = True
    problem: str = ""


@dataclass(frozen=True)
class Kernel:
    """What all nodes' kernels say."""

    nodes: Mapping[str, NodeView] = field(default_factory=dict)
    index: Index = field(default_factory=lambda: Index({}))

    def problem(self, nodes: Iterable[str]) -> str:
        """Why the view of these nodes is incomplete, or an empty text."""
        told = (self.nodes[n].problem if n in self.nodes else f"no node-agent on {n}" for n in nodes)
        return "; ".join(why for why in told if why)


def commands(clients: Iterable[str]) -> dict[str, list[str]]:
    """What to run on a node to see the connections of ``clients`` (IPs) and who listens there."""
    listing = ["conntrack", "-L", "-p", "tcp", "-o", "extended", "-s"]
    return {
        "listeners": ["ss", "-ltnH"],
        "addresses": ["ip", "-4", "-o", "addr"],
        "bridge": ["cat", BRIDGE_SWITCH],
        **{f"conntrack/{ip}": [*listing, ip] for ip in sorted(clients)},
    }


def node_view(outputs: Mapping[str, sections.Output], asked: Iterable[str]) -> NodeView:
    """The node's view out of the sections that ``commands`` gave."""
    entries: list[Entry] = []
    problems = []
    for key in asked:
        output = outputs.get(key)
        if key == "bridge":
            continue
        if output is None or output.returncode:
            said = output.text.strip().splitlines()[-1:] if output else []
            problems.append(f"{key}: {said[0] if said else 'no answer'}")
        elif key.startswith("conntrack/"):
            entries += parse(output.text)
    bridge = outputs.get("bridge")
    return NodeView(
        tuple(entries),
        frozenset(listeners(outputs["listeners"].text)) if "listeners" in outputs else frozenset(),
        frozenset(re.findall(r"\binet (\d+\.\d+\.\d+\.\d+)", outputs["addresses"].text))
        if "addresses" in outputs
        else frozenset(),
        bridge is not None and bridge.text.strip() == "1",
        "; ".join(problems),
    )


def listeners(text: str) -> set[Listener]:
    """Local address and port of each listening socket that ``ss -ltnH`` names."""
    found = set()
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 4 and words[0] == "LISTEN":
            address, _, port = words[3].rpartition(":")
            if port.isdigit():
                found.add((address.split("%")[0].strip("[]"), int(port)))
    return found


def collect(
    agents: Mapping[str, PodInfo],
    clients: Iterable[str],
    execute: Executor,
    threads: Threads,
    raw: Callable[[str, CompletedExec], None],
) -> Kernel:
    """Asks every agent at once; a node whose agent fails has a problem instead of a view. Never raises."""
    asked = commands(clients)

    def ask(node: str) -> NodeView:
        pod = agents[node]
        place = Place(pod.containers[0], pod.namespace, pod.name, pod.uid, pod.ip, node)
        try:
            done = execute(place, sections.script(asked))
        except PodExecError as error:
            return NodeView(problem=str(error))
        raw(f"kernel-{node}", done)
        return node_view(sections.parse(done.stdout), asked)

    views = dict(zip(agents, threads.map(ask, agents), strict=True))
    return Kernel(views, Index({node: view.entries for node, view in views.items()}))
