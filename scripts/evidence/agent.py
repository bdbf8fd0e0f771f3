"""The kernel's view of every node: one exec a node in its node-agent Pod, after the probes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor as Threads
from dataclasses import dataclass, field, replace

from scripts.evidence import links
from scripts.evidence.conntrack import Entry, Index, parse
from scripts.evidence.links import Wiring, read_wiring
from scripts.evidence.rules import Rules, ServiceRules, delta
from scripts.evidence.rules import read as read_rules
from scripts.probing import sections
from scripts.probing.executor import CompletedExec, Executor, Place, PodExecError

BRIDGE_SWITCH = "/proc/sys/net/bridge/bridge-nf-call-iptables"
PROXY_MODE = "http://127.0.0.1:10249/proxyMode"
"""Where kube-proxy says its mode (``--metrics-bind-address``, by default on loopback)."""
RULES = {
    "iptables": ["iptables-save", "-c", "-t", "nat"],
    "nft": ["nft", "-j", "list", "table", "ip", "kube-proxy"],
}
WIRING = links.COMMANDS
MAY_FAIL = ("bridge", "nft", "mode")
"""What a node need not have: the bridge module, kube-proxy's nftables table, a kube-proxy that speaks."""
Listener = tuple[str, int]


@dataclass(frozen=True)
class NodeView:
    """What one node's kernel says. ``problem`` tells why it says less than it should."""

    entries: tuple[Entry, ...] = ()
    listeners: frozenset[Listener] = frozenset()
    wiring: Wiring = field(default_factory=Wiring)
    rules: Rules = field(default_factory=Rules)
    proxy_mode: str = ""
    """kube-proxy's mode in its own word, empty where it does not tell."""
    filters_bridge: bool = True
    problem: str = ""

    @property
    def addresses(self) -> frozenset[str]:
        """The node's own IPv4 addresses."""
        return frozenset(str(address.ip.ip) for address in self.wiring.addresses)


@dataclass(frozen=True)
class Kernel:
    """What all nodes' kernels say. ``grown`` are a node's rules with what they counted during the run."""

    nodes: Mapping[str, NodeView] = field(default_factory=dict)
    index: Index = field(default_factory=lambda: Index({}))
    grown: Mapping[str, Rules] = field(default_factory=dict)
    _told: dict[tuple[str, str], list[str]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    def counted(self, node: str, service: str) -> list[str]:
        """What the node's rules for ``namespace/service`` counted during the run, a line each."""
        if (node, service) not in self._told:
            entries = self.grown.get(node, Rules()).of(service).entries
            self._told[node, service] = [
                f"{node}: rule {entry.name} at {key} counted +{entry.packets} ({_shares(entry)})"
                for key, entry in entries.items()
                if entry.packets
            ]
        return self._told[node, service]

    def problem(self, nodes: Iterable[str]) -> str:
        """Why the view of these nodes is incomplete, or an empty text."""
        told = (self.nodes[n].problem if n in self.nodes else f"no node-agent on {n}" for n in nodes)
        return "; ".join(why for why in told if why)

    def since(self, before: Kernel) -> Kernel:
        """The same view, with the growth of the rules' counters since ``before``."""
        grown = {
            node: delta(before.nodes[node].rules, view.rules)
            for node, view in self.nodes.items()
            if node in before.nodes and not view.problem and not before.nodes[node].problem
        }
        return replace(self, grown=grown)


def _shares(entry: ServiceRules) -> str:
    return ", ".join(f"{b.address} {float(b.share):.1%} +{b.packets}" for b in entry.backends)


def commands(clients: Iterable[str], rules_only: bool = False) -> dict[str, list[str]]:
    """What to run on a node to see its wiring, its rules, who listens, and the connections of ``clients``.

    ``rules_only``: as little as it takes to see later what the rules have counted.
    """
    if rules_only:
        return dict(RULES)
    listing = ["conntrack", "-L", "-p", "tcp", "-o", "extended", "-s"]
    return {
        "listeners": ["ss", "-ltnH"],
        "bridge": ["cat", BRIDGE_SWITCH],
        "mode": ["curl", "-sf", "--max-time", "2", PROXY_MODE],
        **WIRING,
        **RULES,
        **{f"conntrack/{ip}": [*listing, ip] for ip in sorted(clients)},
    }


def node_view(outputs: Mapping[str, sections.Output], asked: Iterable[str]) -> NodeView:
    """The node's view out of the sections that ``commands`` gave."""
    entries: list[Entry] = []
    problems = []
    for key in asked:
        output = outputs.get(key)
        if key in MAY_FAIL:
            continue
        if output is None or output.returncode:
            said = output.text.strip().splitlines()[-1:] if output else []
            problems.append(f"{key}: {said[0] if said else 'no answer'}")
        elif key.startswith("conntrack/"):
            entries += parse(output.text)
    texts = {key: output.text for key, output in outputs.items() if not output.returncode}
    try:
        wiring = read_wiring(texts) if texts.keys() >= WIRING.keys() else Wiring()
    except ValueError as error:
        wiring = Wiring()
        problems.append(str(error))
    return NodeView(
        tuple(entries),
        frozenset(listeners(texts.get("listeners", ""))),
        wiring,
        read_rules(texts.get("iptables", ""), texts.get("nft", "")),
        texts.get("mode", "").strip(),
        texts.get("bridge", "").strip() == "1",
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
    agents: Mapping[str, Place],
    clients: Iterable[str],
    execute: Executor,
    threads: Threads,
    raw: Callable[[str, CompletedExec], None],
    name: str = "kernel",
    rules_only: bool = False,
) -> Kernel:
    """Asks every agent at once; a node whose agent fails has a problem instead of a view. Never raises."""
    asked = commands(clients, rules_only)

    def ask(node: str) -> NodeView:
        try:
            done = execute(agents[node], sections.script(asked))
        except PodExecError as error:
            return NodeView(problem=str(error))
        raw(f"{name}-{node}", done)
        return node_view(sections.parse(done.stdout), asked)

    views = dict(zip(agents, threads.map(ask, agents), strict=True))
    return Kernel(views, Index({node: view.entries for node, view in views.items()}))
