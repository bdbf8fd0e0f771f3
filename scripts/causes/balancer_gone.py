"""Nobody has a load balancer's address any more, or what has it refuses every connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from scripts.causes.commands import of_cluster
from scripts.causes.scene import Cause, Red, Scene, Try
from scripts.ends import ip_of
from scripts.evidence.world import GATEWAY

UNANSWERED = ("FAILED", "INCOMPLETE")
HEALTHZ = 10256
"""kube-proxy's port that says whether its node is healthy."""


def find(scene: Scene) -> Iterator[Cause]:
    """Each advertised address that the gateway gets no link-layer answer for, or that refuses."""
    for ip, (kind, (_, name)) in scene.view.snapshot.entrances.items():
        whose = f"{kind} {name}"
        ids = scene.ids(red for red in scene.reds if bool(red.failing) and _asks(red, ip))
        if ids and (found := _wrong(scene, ids, ip, whose)):
            found_as, what, evidence, weak = found
            look, mend = _look(scene, whose), of_cluster(scene)
            yield Cause(found_as, what, (evidence,), ids, look=look, mend=mend, weak=weak)


def _wrong(scene: Scene, ids: frozenset[str], ip: str, whose: str) -> tuple[str, str, str, bool] | None:
    """What is wrong with an address that these reds ask: the kind, in words, the evidence, whether weak."""
    seen = scene.after.get(GATEWAY)
    if seen and (state := seen.neighbours.get(ip)) in UNANSWERED:
        what = f"nobody has the address {ip} of the load balancer of {whose}"
        return (
            "balancer_gone",
            what,
            f"the gateway gets no ARP reply for {ip} (neighbour state {state})",
            False,
        )
    if not scene.view.blind and _each(scene, ids, _accepted) and not _opens(scene, ip):
        what = f"the load balancer of {whose} accepts connections and sends nothing on"
        told = f"{ip} accepted every connection of the replay, no node saw one from it, no answer came"
        return "balancer_silent", what, told, False
    if not scene.view.blind and _each(scene, ids, _ignored):
        what = f"nothing answers at the address {ip} of the load balancer of {whose}"
        told = f"the replay's SYNs left the gateway for {ip}, and nothing came back, not even a RST"
        return "balancer_gone", what, told, True  # a rule before it may have dropped them
    if _each(scene, ids, lambda one: one.refused):
        what = f"the load balancer of {whose} refuses connections: it has no configuration for them"
        return "no_configuration", what, f"{ip} answered every SYN of the replay by a RST", False
    return None


def _opens(scene: Scene, ip: str) -> bool:
    """Whether a node met a SYN of the load balancer, other than one that asks whether the node is healthy."""
    healthy = {HEALTHZ} | {service["spec"].get("healthCheckNodePort") for service in scene.services}
    asked = [one.destination for one in scene.passages if one.opens and ip_of(one.source) == ip]
    return any(int(one.rpartition(":")[2] or 0) not in healthy for one in asked)


def _look(scene: Scene, whose: str) -> str:
    """Shows the containers of the load balancers; elsewhere the object, with the events of its controller."""
    kind, _, name = whose.partition(" ")
    if scene.view.fenced:
        return "docker ps --all --filter label=io.x-k8s.cloud-provider-kind.cluster"
    return f"kubectl describe {kind.lower()} --all-namespaces --field-selector metadata.name={name}"


def _asks(red: Red, ip: str) -> bool:
    return red.target is not None and ip in (red.target.address, *red.target.ips)


def _ignored(one: Try) -> bool:
    """Whether its SYN left the gateway, no node saw it, and nothing answered."""
    last = one.last("request")
    out = last is not None and (last.node, last.direction) == (GATEWAY, "out")
    return out and not one.trace.answer and not one.connected


def _each(scene: Scene, ids: frozenset[str], holds: Callable[[Try], bool]) -> bool:
    """Whether it holds of each failing try whose packets were seen, and of one of each red."""
    for id in ids:
        seen = [one for one in scene.known[id].failing if one.trace.hops]
        if not seen or not all(map(holds, seen)):
            return False
    return True


def _accepted(one: Try) -> bool:
    """Whether the connection was established, and no node saw a packet of it."""
    return one.connected and all(hop.node == GATEWAY for hop in one.trace.hops)
