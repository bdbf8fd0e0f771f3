"""Scenes in which causes are looked for, in a few lines; what is not said is as in an honest cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any, Literal

from scripts.causes.cover import ordered
from scripts.causes.scene import Cause, Red, Scene, Try
from scripts.checks.peers import Target
from scripts.checks.verdict import Failure, Verdict
from scripts.evidence import curl
from scripts.evidence.links import Route
from scripts.evidence.netfilter import read_ruleset
from scripts.evidence.nodestate import Device, NodeState
from scripts.evidence.ruletrace import MetRule, Passage
from scripts.evidence.snapshot import PodInfo, ServiceInfo
from scripts.evidence.trace import Answer, Hop, Interface, Kind, Trace, Way
from scripts.evidence.view import View
from scripts.suite.causes import found_in
from scripts.transport.executor import Place
from tests.unit import atlas
from tests.unit.atlas import CIDRS, CLUSTER_IP, NODES, PODS, SERVICE_NS, SERVICES

FRONTEND = (SERVICE_NS, "frontend")
CLIENT, POD, FAR = "10.244.1.9:20000", "10.244.1.3:80", "10.244.2.3:80"
"""The client of worker-a, and a Pod behind the Service frontend on each worker."""
ASKED = f"{CLUSTER_IP}:80"


def answer(exitcode: int = 0, pod: str = "", **client: Any) -> curl.Answer:
    """What curl says of a request; ``pod`` answered."""
    told = {"exitcode": exitcode, "http_code": 0 if exitcode else 200, "local_port": 0, **client}
    return curl.Answer("n", told, {"X-Podpath-Pod": pod} if pod else {})


LOST, REFUSED, PASSED = answer(28), answer(7), answer(0)


def hop(
    where: str,
    src: str = CLIENT,
    dst: str = POD,
    way: Way = "request",
    kind: Kind = "other",
    label: str = "",
) -> Hop:
    """A packet at "node interface direction"."""
    node, name, towards = where.split()
    direction: Literal["in", "out"] = "in" if towards == "in" else "out"
    return Hop(node, Interface(name, kind, label), direction, src, dst, way, 0)


def rule(text: str, verdict: str, at: str = "filter/FORWARD", number: int = 1, handle: int = 7) -> MetRule:
    """A rule of the family ip; without a text it is the policy of its chain."""
    table, chain = at.split("/")
    return MetRule("ip", table, chain, handle if text else 0, number if text else 0, text, verdict)


def way(
    *rules: MetRule, node: str = "worker-a", src: str = CLIENT, dst: str = POD, flags: str = "syn"
) -> Passage:
    """A packet's way through the chain of the first of these rules."""
    return Passage(node, rules[0].table, rules[0].chain, "cbr0", "eth0", src, dst, 1, 60, flags, rules)


def ask(*hops: Hop, said: curl.Answer | str = LOST, met: Iterable[Passage] = (), back: Answer = "") -> Try:
    """A request of the replay with what was seen of it."""
    return Try(20000, said, tuple(met), Trace(hops=hops, answer=back))


def pod(name: str) -> PodInfo:
    """A Pod as the API has it at first."""
    return next(one for one in atlas.snapshot().pods if one.name == name)


def service(key: tuple[str, str] = FRONTEND) -> ServiceInfo:
    """A Service as the API has it at first."""
    return atlas.snapshot().services[key]


def at(name: str) -> Place:
    """A Pod as a place."""
    namespace, _, ip, node, containers = PODS[name]
    return Place(containers.split()[0], namespace, name, f"uid-{name}", ip, node)


OUTSIDE = Place("podpath-outside", ip="")


def to(key: tuple[str, str] = FRONTEND, address: str = "", **more: Any) -> Target:
    """A Service as a target, by its clusterIP."""
    ip = address or SERVICES[key][0]
    return Target(ip, 80, (ip,), service=service(key), **more)


def to_pod(name: str = "peer-1") -> Target:
    """A Pod as a target."""
    return Target(PODS[name][2], 80, (PODS[name][2],), pod=pod(name))


def red(
    *tries: Try,
    id: str = "S6-1-80",
    failure: Failure | None = Failure.TIMED_OUT,
    why: str = "",
    place: Place | None = None,
    target: Target | None = None,
    leans_on: tuple[str, ...] = (),
    **more: Any,
) -> Red:
    """A red from the client of worker-a to the Service frontend."""
    claim = id.split("-")[0]
    return Red(
        id, claim, "pod-to-service", Verdict.FAILED, failure, why, leans_on, place or at("client-a"),
        target or to(), tries or (ask(),), **more,
    )  # fmt: skip


RULES = """\
*filter
:FORWARD ACCEPT [0:0]
{filter}COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
[5:300] -A PREROUTING -j KUBE-SERVICES
[5:300] -A OUTPUT -j KUBE-SERVICES
[5:300] -A KUBE-SERVICES -d 10.96.0.80/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-X
{nat}COMMIT
"""


def rules(filter: str = "", nat: str = "") -> Any:
    """A node's rules: kube-proxy's, and these lines of iptables-save -c."""
    return read_ruleset(RULES.format(filter=filter, nat=nat))


def honest(node: str) -> NodeState:
    """The state of a node on which nothing is wrong."""
    others = (other for other in NODES if other != node)
    names = [name for name, told in PODS.items() if told[3] == node and told[2] != NODES[node]]
    ports = {f"veth-{name}": Device(f"veth-{name}", 1500, True, "veth", "cbr0", True) for name in names}
    return NodeState(
        rules(),
        {"eth0": Device("eth0", 1500, True, "veth"), "cbr0": Device("cbr0", 1500, True, "bridge"), **ports},
        tuple(Route(IPv4Network(CIDRS[other]), "eth0", NODES[other]) for other in others),
        {told[2]: "REACHABLE" for told in PODS.values()},
        {
            "ipv4/ip_forward": "1",
            "ipv4/conf/eth0/forwarding": "1",
            "ipv4/conf/eth0/rp_filter": "0",
            "bridge/bridge-nf-call-iptables": "1",
            "netfilter/nf_conntrack_count": "100",
            "netfilter/nf_conntrack_max": "65536",
        },
        {"IPReversePathFilter": 3},
        {"drop": 0, "early_drop": 0, "insert_failed": 0},
        "iptables",
        0,
    )


def states(**changed: Any) -> dict[str, NodeState]:
    """The state of every node; ``worker_a={"proxy": ""}`` changes one."""
    more = {name.replace("_", "-"): fields for name, fields in changed.items()}
    return {node: replace(honest(node), **more.get(node, {})) for node in NODES}


def with_device(node: str, name: str, **fields: Any) -> dict[str, Any]:
    """A node's devices of which one is otherwise, for ``states``."""
    devices = dict(honest(node).devices)
    return {"devices": {**devices, name: replace(devices[name], **fields)}}


def with_switch(node: str, **values: str) -> dict[str, Any]:
    """A node's switches of which some are otherwise, by the ends of their paths."""
    known = honest(node).switches
    changed = {path: values[path.rpartition("/")[2].replace("-", "_")] for path in known
               if path.rpartition("/")[2].replace("-", "_") in values}  # fmt: skip
    return {"switches": {**known, **changed}}


def scene(
    *reds: Red,
    after: Mapping[str, NodeState] | None = None,
    before: Mapping[str, NodeState] | None = None,
    view: View | None = None,
    **more: Any,
) -> Scene:
    """What is known of these reds; the passages are those of their tries, the Pods those of the atlas."""
    passages = tuple(passage for one in reds for each in one.tries for passage in each.passages)
    pods = tuple(atlas.lists()[1])
    told = {"passages": passages, "pods": pods, **more}
    return Scene(view or atlas.view(), reds, before or states(), after or states(), **told)


def found(scene: Scene, kind: str) -> list[Cause]:
    """The causes of one kind, out of all that hold."""
    return [cause for cause in found_in(scene) if cause.kind == kind]


def told(scene: Scene) -> list[str]:
    """The kinds that are told for a scene's reds, in their order."""
    return [cause.kind for cause in ordered(found_in(scene), scene.reds)[0]]
