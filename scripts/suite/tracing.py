"""From captures to traces: every node's and the gateway's packets, with their interfaces' names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from scripts.checks.base import Step
from scripts.checks.peers import Target
from scripts.evidence.capture import Captures
from scripts.evidence.directory import Directory, directory_of
from scripts.evidence.following import follow
from scripts.evidence.iproute import read_wiring
from scripts.evidence.links import COMMANDS, Wiring
from scripts.evidence.nodeview import Kernel
from scripts.evidence.trace import Capture, Hop, Interface, Kind, Start, Trace
from scripts.evidence.view import View
from scripts.evidence.world import GATEWAY
from scripts.transport import frames
from scripts.transport.executor import Executor, Place, PodExecError

TUNNELS = ("vxlan", "geneve", "ipip", "gre", "wireguard")


def places(view: View) -> dict[str, Place]:
    """Where to capture, by name: every node, and the gateway to the outside where there is one."""
    gateway = {GATEWAY: Place(view.outside.gateway)} if view.outside else {}
    return view.agent_places() | gateway


def wirings(view: View, kernel: Kernel, execute: Executor) -> dict[str, Wiring]:
    """The interfaces of each of ``places``; an empty wiring where they cannot be read."""
    found = {node: seen.wiring for node, seen in kernel.nodes.items()}
    if view.outside:
        try:
            script = frames.Script(COMMANDS)
            outputs = script.parse(execute(Place(view.outside.gateway), script.argv()).stdout)
            found[GATEWAY] = read_wiring({key: output.text for key, output in outputs.items()})
        except (PodExecError, ValueError, KeyError):
            found[GATEWAY] = Wiring()
    return found


def trace_of(
    step: Step, view: View, captures: Captures, wired: Mapping[str, Wiring], source_port: int = 0
) -> Trace:
    """The one request of a traced step, hop by hop; ``source_port`` is 0 where any was taken."""
    (request,), target = step.work.requests, step.work.target
    taken = [
        Capture(name, captured.packets, interfaces(wiring, name, view), captured.problem or _unread(wiring))
        for name, captured in captures.by_place.items()
        for wiring in [wired.get(name, Wiring())]
        if name != GATEWAY or _passes_gateway(step, view)
    ]
    unseen = [node.name for node in view.snapshot.nodes if node.name not in captures.by_place]
    taken += [Capture(name, (), {}, "no node-agent is ready there") for name in unseen]
    source = step.place.ip or (view.outside.outside_ip if view.outside else "")
    start = Start(source, _ip(target), target.port, source_port) if target and source else None
    trace = follow(taken, request.nonce, start)
    known = directory_of(view, {})
    return replace(trace, hops=_labelled(trace.hops, known), syn_hops=_labelled(trace.syn_hops, known))


def _ip(target: Target) -> str:
    """Its address; where it is asked by a name, the one that the name should resolve to."""
    named = any(map(str.isalpha, target.address))
    return target.ips[0] if named and target.ips else target.address


def _passes_gateway(step: Step, view: View) -> bool:
    """Whether the request comes from the outside or goes there; else the gateway's capture is ignored."""
    world, target = view.outside, step.work.target
    return not step.place.pod or (world is not None and target is not None and world.outside_ip in target.ips)


def _unread(wiring: Wiring) -> str:
    return "" if wiring.links else "its interfaces could not be read"


def interfaces(wiring: Wiring, name: str, view: View) -> dict[int, Interface]:
    """A place's interfaces by index, each with its part in the article's picture."""
    own = {view.outside.gateway_ip: "towards the nodes"} if view.outside else {}
    own |= {view.outside.gateway_outside_ip: "towards the outside"} if view.outside else {}
    uplinks = {
        address.dev: own.get(str(address.ip.ip), "")
        for address in wiring.addresses
        if str(address.ip.ip) == view.snapshot.node_ip(name)
        or (name == GATEWAY and str(address.ip.ip) in own)
    }

    def kind(device: str, of: str) -> Kind:
        if device in uplinks:
            return "uplink"
        if of in TUNNELS:
            return "tunnel"
        return "bridge" if of == "bridge" else "pod" if of == "veth" else "other"

    bridges = {link.name for link in wiring.links if link.kind == "bridge"}
    return {
        link.ifindex: Interface(
            link.name,
            kind(link.name, link.kind),
            uplinks.get(link.name, ""),
            link.master if link.master in bridges else "",
        )
        for link in wiring.links
    }


def _labelled(hops: tuple[Hop, ...], known: Directory) -> tuple[Hop, ...]:
    """Names the Pod behind each veth: packets that enter there are from it, those that leave are for it."""

    def named(hop: Hop) -> Hop:
        if hop.interface.kind != "pod":
            return hop
        label = known.of(hop.src if hop.direction == "in" else hop.dst)
        return replace(hop, interface=replace(hop.interface, label=label))

    return tuple(map(named, hops))
