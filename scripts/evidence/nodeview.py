"""The kernel's view of every node: one exec per node in its node-agent Pod, after the probes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Executor as Threads
from dataclasses import dataclass, field, replace
from typing import Literal

from scripts.ends import family_of
from scripts.evidence import links
from scripts.evidence.conntrack import Entry, Index, parse
from scripts.evidence.links import Wiring
from scripts.evidence.rules import Rules, ServiceRules, delta
from scripts.evidence.ruleset import read as read_rules
from scripts.transport import frames
from scripts.transport.executor import CompletedExec, Executor, Place, PodExecError

BRIDGE_SWITCH = "/proc/sys/net/bridge/bridge-nf-call-iptables"
PROXY_MODE = "http://127.0.0.1:10249/proxyMode"
"""Where kube-proxy says its mode (``--metrics-bind-address``, by default on loopback)."""
TIME_OUT = 28
"""curl's exit code when nothing came in time."""
RULES = {
    "iptables": ["iptables-save", "-c", "-t", "nat"],
    "nft": ["nft", "-j", "list", "table", "ip", "kube-proxy"],
}
RULES_V6 = {
    "ip6tables": ["ip6tables-save", "-c", "-t", "nat"],
    "nft6": ["nft", "-j", "list", "table", "ip6", "kube-proxy"],
}
"""The same of IPv6, which are asked for where the nodes have such addresses."""
WIRING = links.COMMANDS
MAY_FAIL = ("bridge", "nft", "nft6", "mode")
"""What a node need not have: the bridge module, kube-proxy's nftables table, a kube-proxy that answers."""
Listener = tuple[str, int]
Part = Literal["wiring", "rules", "connections", "listeners"]
"""What a node's view consists of: each is read by commands of its own, and may be missing alone."""


@dataclass(frozen=True)
class NodeView:
    """What a node's kernel reports. ``problem`` says why all of it is missing, ``missing`` why a part is."""

    entries: tuple[Entry, ...] = ()
    listeners: frozenset[Listener] = frozenset()
    wiring: Wiring = field(default_factory=Wiring)
    rules: Rules = field(default_factory=Rules)
    proxy_silent: bool = False
    """Whether kube-proxy accepted the request for its mode and did not answer."""
    proxy_mode: str = ""
    """kube-proxy's mode as it reports it; empty if it does not."""
    filters_bridge: bool = True
    problem: str = ""
    missing: Mapping[Part, str] = field(default_factory=dict)

    def lacks(self, parts: Collection[Part] = ()) -> str:
        """Why one of these parts (none: any) is missing, or an empty text."""
        of = (why for part, why in self.missing.items() if not parts or part in parts)
        return self.problem or "; ".join(of)

    @property
    def addresses(self) -> frozenset[str]:
        """The node's own addresses."""
        return frozenset(str(address.ip.ip) for address in self.wiring.addresses)


@dataclass(frozen=True)
class Kernel:
    """What all nodes' kernels report. ``grown`` are a node's rules with what they counted during the run."""

    nodes: Mapping[str, NodeView] = field(default_factory=dict)
    index: Index = field(default_factory=lambda: Index({}))
    grown: Mapping[str, Rules] = field(default_factory=dict)
    late: str = ""
    """Why a connection may have been forgotten by the kernel before it was looked at, or empty."""
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

    def problem(self, nodes: Iterable[str], *parts: Part) -> str:
        """Why these parts (none: any) of the view of these nodes are missing, or an empty text."""
        problems = (self.nodes[n].lacks(parts) if n in self.nodes else f"no node-agent on {n}" for n in nodes)
        return "; ".join(why for why in problems if why)

    def without(self, silent: Mapping[str, str]) -> Kernel:
        """The same view, in which silent nodes (name → reason) have that as their problem."""
        absent = {node: NodeView(problem=f"{node} does not answer: {why}") for node, why in silent.items()}
        return replace(self, nodes={**self.nodes, **absent})

    def with_connections(self, earlier: Mapping[str, Iterable[Entry]], late: str = "") -> Kernel:
        """The same view, with connections that an earlier look saw; ``late`` says why some may be missing."""
        every: dict[str, list[Entry]] = {}
        for node in {*self.nodes, *earlier}:
            own = self.nodes[node].entries if node in self.nodes else ()
            known = {(entry.original, entry.reply): entry for entry in (*earlier.get(node, ()), *own)}
            every[node] = [*known.values()]
        return replace(self, index=Index(every), late=late)

    def since(self, before: Kernel) -> Kernel:
        """The same view, with the growth of the rules' counters since ``before``."""
        grown = {
            node: delta(before.nodes[node].rules, view.rules)
            for node, view in self.nodes.items()
            if node in before.nodes and not view.lacks(["rules"]) and not before.nodes[node].lacks(["rules"])
        }
        return replace(self, grown=grown)


def _shares(entry: ServiceRules) -> str:
    return ", ".join(f"{b.address} {float(b.share):.1%} +{b.packets}" for b in entry.backends)


def commands(
    clients: Iterable[str], rules_only: bool = False, families: Collection[int] = (4,)
) -> dict[str, list[str]]:
    """What to run on a node to see its wiring, its rules, who listens, and the connections of ``clients``.

    ``rules_only``: as little as it takes to see later what the rules have counted. ``families`` are the
    versions of IP that the nodes have.
    """
    six = 6 in families
    rules = {**RULES, **(RULES_V6 if six else {})}
    if rules_only:
        return rules
    return {
        "listeners": ["ss", "-ltnH"],
        "bridge": ["cat", BRIDGE_SWITCH],
        "mode": ["curl", "-sf", "--max-time", "2", PROXY_MODE],
        **WIRING,
        **(links.COMMANDS_V6 if six else {}),
        **rules,
        **connections(clients),
    }


FEW = 64
"""Clients whose connections are each listed alone; of more, one listing of the whole table is searched."""
LISTING = ["conntrack", "-L", "-p", "tcp", "-o", "extended"]
SEARCHED = """\
sought=$1; shift; exec 4>&1
code=$({ { "$@"; echo $? >&3; } | grep -F -e "$sought" >&4; } 3>&1)
exit "$code"
"""
"""Prints a program's lines with one of some texts (a line each); the exit code is the program's."""


def connections(clients: Iterable[str]) -> dict[str, list[str]]:
    """What to run on a node to see the connections of ``clients`` (IPs) alone."""
    clients = sorted(clients)
    if len(clients) <= FEW:
        return {f"conntrack/{ip}": [*_listing(family_of(ip)), "-s", ip] for ip in clients}
    sought = {family: [ip for ip in clients if family_of(ip) == family] for family in (4, 6)}
    return {
        "conntrack/many" + (f"-v{family}" if family == 6 else ""): [
            *("sh", "-c", SEARCHED, "sh", "\n".join(f"src={ip} " for ip in ips)),
            *_listing(family),
        ]
        for family, ips in sought.items()
        if ips
    }


def _listing(family: int) -> list[str]:
    return [*LISTING, *(("-f", "ipv6") if family == 6 else ())]


def node_view(outputs: Mapping[str, frames.Output], asked: Iterable[str]) -> NodeView:
    """The node's view from the output of ``commands``."""
    from scripts.evidence.iproute import read_wiring

    entries: list[Entry] = []
    missing: dict[Part, str] = {}
    for key in asked:
        output = outputs.get(key)
        if key in MAY_FAIL:
            continue
        if output is None or output.returncode:
            said = output.text.strip().splitlines()[-1:] if output else []
            missing.setdefault(_part(key), f"{key}: {said[0] if said else 'no answer'}")
        elif key.startswith("conntrack/"):
            entries += parse(output.text)
    texts = {key: output.text for key, output in outputs.items() if not output.returncode}
    try:
        wiring = read_wiring(texts) if texts.keys() >= WIRING.keys() else Wiring()
    except ValueError as error:
        wiring = Wiring()
        missing.setdefault("wiring", str(error))
    mode = outputs.get("mode")
    return NodeView(
        tuple(entries),
        frozenset(listeners(texts.get("listeners", ""))),
        wiring,
        rules_of(outputs),
        proxy_silent=mode is not None and mode.returncode in (TIME_OUT, frames.TIMED_OUT),
        proxy_mode=texts.get("mode", "").strip(),
        filters_bridge=texts.get("bridge", "").strip() == "1",
        missing=missing,
    )


def _part(key: str) -> Part:
    """The part of a node's view that a command of ``commands`` reads."""
    if key == "listeners":
        return "listeners"
    if key.startswith("conntrack/"):
        return "connections"
    return "rules" if key in RULES or key in RULES_V6 else "wiring"


def rules_of(outputs: Mapping[str, frames.Output]) -> Rules:
    """kube-proxy's rules from the output of ``RULES``, with ``RULES_V6`` where they were asked for."""
    texts = {key: output.text for key, output in outputs.items() if not output.returncode}
    rules = read_rules(texts.get("iptables", ""), texts.get("nft", ""))
    if not RULES_V6.keys() & outputs.keys():
        return rules
    return rules.joined(read_rules(texts.get("ip6tables", ""), texts.get("nft6", "")))


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
    asked: Mapping[str, Sequence[str]],
    execute: Executor,
    threads: Threads,
    raw: Callable[[str, CompletedExec], None],
    name: str = "kernel",
) -> Kernel:
    """Runs on every agent at once what ``commands`` or ``connections`` say; never raises.

    A node whose agent fails has a problem instead of a view.
    """

    def ask(node: str) -> NodeView:
        try:
            script = frames.Script(asked)
            done = execute(agents[node], script.argv())
        except PodExecError as error:
            return NodeView(problem=str(error))
        raw(f"{name}-{node}", done)
        return node_view(script.parse(done.stdout), asked)

    views = dict(zip(agents, threads.map(ask, agents), strict=True))
    return Kernel(views, Index({node: view.entries for node, view in views.items()}))
