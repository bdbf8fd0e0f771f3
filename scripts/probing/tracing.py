"""From captures to traces: every node's and the gateway's packets, with their interfaces' names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from scripts.evidence.agent import Kernel
from scripts.evidence.capture import Captures
from scripts.evidence.links import COMMANDS, Wiring, read_wiring
from scripts.evidence.trace import Capture, Hop, Interface, Kind, Start, Trace, follow
from scripts.probing import sections
from scripts.probing.directory import Directory, directory_of
from scripts.probing.executor import Executor, Place, PodExecError
from scripts.probing.judges.traces import GATEWAY
from scripts.probing.places import agents
from scripts.probing.plan import Step
from scripts.probing.view import View

TUNNELS = ("vxlan", "geneve", "ipip", "gre", "wireguard")


def places(view: View) -> dict[str, Place]:
    """Where to capture, by name: every node, and the gateway to the outside where there is one."""
    gateway = {GATEWAY: Place(view.outside.gateway)} if view.outside else {}
    return agents(view) | gateway


def wirings(view: View, kernel: Kernel, execute: Executor) -> dict[str, Wiring]:
    """The interfaces of each of ``places``; an empty wiring where they cannot be read."""
    found = {node: seen.wiring for node, seen in kernel.nodes.items()}
    if view.outside:
        try:
            done = execute(Place(view.outside.gateway), sections.script(COMMANDS))
            outputs = sections.parse(done.stdout)
            found[GATEWAY] = read_wiring({key: output.text for key, output in outputs.items()})
        except (PodExecError, ValueError, KeyError):
            found[GATEWAY] = Wiring()
    return found


def trace_of(step: Step, view: View, captures: Captures, wired: Mapping[str, Wiring]) -> Trace:
    """The one request of a traced step, hop by hop."""
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
    start = Start(source, target.address, target.port) if target and source else None
    trace = follow(taken, request.nonce, start)
    known = directory_of(view, {})
    return replace(trace, hops=_labelled(trace.hops, known), syn_hops=_labelled(trace.syn_hops, known))


def _passes_gateway(step: Step, view: View) -> bool:
    """Whether the request comes from the outside or goes there; else the gateway's capture is none of its."""
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

    return {
        link.ifindex: Interface(link.name, kind(link.name, link.kind), uplinks.get(link.name, ""))
        for link in wiring.links
    }


def _labelled(hops: tuple[Hop, ...], known: Directory) -> tuple[Hop, ...]:
    """Names the Pod behind each veth: what comes in there is from it, what goes out there is for it."""

    def named(hop: Hop) -> Hop:
        if hop.interface.kind != "pod":
            return hop
        label = known.of(hop.src if hop.direction == "in" else hop.dst)
        return replace(hop, interface=replace(hop.interface, label=label))

    return tuple(map(named, hops))
