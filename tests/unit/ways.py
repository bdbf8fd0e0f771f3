"""Who answers a request in the made-up cluster, and which way its packets take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from scripts.transport.executor import Place
from tests.unit.atlas import (
    BRIDGES,
    CONTAINERS,
    GATEWAY_IP,
    INGRESS_IP,
    INGRESS_NS,
    L4_NS,
    NODES,
    OUTSIDE,
    PODS,
    ROUTES,
    SERVICES,
    node_port,
    service_of_ip,
)
from tests.unit.lies import Lies
from tests.unit.wires import End, Leg, by_way_of, carried, down, leaving, ports, up

KUBELET = 10250
Key = tuple[str, str]
Pick = Callable[[str, Key], str]
"""The Pod that a Service gives to a source, or an empty text."""


@dataclass(frozen=True)
class Served:
    """Who answers (empty: nobody of ours), with which HTTP status (0: nobody at all), and by which way."""

    who: str
    status: int
    local: End
    legs: tuple[Leg, ...] = ()
    forwarded: str = ""

    @property
    def crosses(self) -> bool:
        """Whether the packets pass more than one node."""
        return len({hop.port[0] for leg in self.legs for hop in leg.hops} & {*NODES}) > 1

    @property
    def peer(self) -> End:
        """Whom the server sees."""
        return self.legs[-1].hops[-1].src if self.legs and self.legs[-1].hops else self.local


class Ways:
    """The routing of the made-up cluster, with its lies."""

    def __init__(self, lies: Lies, pick: Pick, next_port: Callable[[], int]) -> None:
        self.lies, self.pick, self.next_port = lies, pick, next_port

    @property
    def ptp(self) -> bool:
        return not self.lies.bridge

    def served(self, place: Place, ip: str, port: int, host: str, path: str) -> Served:
        """The answer to a request from ``place``."""
        start, sport = self.start(place), self.next_port()
        lies, local = self.lies, (self._address(start, ip), sport)
        nobody = Served("", 0, local, self._attempt(start, local, (ip, port)))
        if ip in lies.silent:
            return nobody
        if (ip, port) in lies.open:
            return Served("frontend-1", 200, local)
        if ip in lies.responder:
            return Served(lies.responder[ip], 200, local)
        found = self._found(start, local, ip, port, host, path) or nobody
        if lies.unrewritten:
            found = replace(found, legs=tuple(replace(leg, unrewritten=True) for leg in found.legs))
        return replace(found, status=lies.status.get(ip, found.status) if found.status else 0)

    @staticmethod
    def start(place: Place) -> str:
        """A Pod of its own network, a node, or the host outside."""
        if place.pod in PODS:
            return place.node if place.ip == NODES[place.node] else place.pod
        return "outside"

    def _found(self, start: str, local: End, ip: str, port: int, host: str, path: str) -> Served | None:
        by_ip = {told[2]: name for name, told in PODS.items() if told[2] not in NODES.values()}
        if ip.startswith("127."):
            return Served(start, 200, local)
        if ip in by_ip:
            return self._to_pod(start, local, by_ip[ip], port)
        if ip in (INGRESS_IP, GATEWAY_IP):
            return self._routed(local, ip, host, path)
        if ip in NODES.values():
            return self._to_node(start, local, ip, port)
        if ip in (OUTSIDE.near_ip, OUTSIDE.outside_ip):
            return self._away(start, local, ip, port)
        key = service_of_ip(ip)
        if not key[1] or port not in SERVICES[key][3]:
            return None
        pod = self.pick(start, key)
        if not pod:
            return None
        if ip == SERVICES[key][1]:
            return self._balanced(local, key, pod, (ip, port))
        if pod == start:
            return self._hairpin(local, pod, (ip, port))
        way = ports(start, pod, self.ptp)
        node = PODS[start][3] if start in PODS else start
        source = (NODES[node], local[1]) if self.lies.natted and node in NODES else local
        leg = carried(way, local, (ip, port), {1: (source, (PODS[pod][2], port))})
        return Served(pod, 200, local, (leg,))

    def _hairpin(self, local: End, pod: str, asked: End) -> Served | None:
        """A Pod reaches itself: up to its node, whose address it sees, and down again by the same veth."""
        node = PODS[pod][3]
        if node in self.lies.no_hairpin:
            return None
        way = up(pod, self.ptp)[:-1] + down(pod, self.ptp)[1:]
        changes = {len(way) // 2: ((leaving(node, not self.ptp), local[1]), (PODS[pod][2], asked[1]))}
        return Served(pod, 200, local, (carried(way, local, asked, changes),))

    def _address(self, start: str, ip: str) -> str:
        if ip.startswith("127."):
            return "127.0.0.1"
        if start in PODS:
            return PODS[start][2]
        if start in NODES:
            inside = ip.rpartition(".")[0] == BRIDGES[start].rpartition(".")[0]
            return leaving(start, inside and not self.ptp)
        return OUTSIDE.outside_ip

    def _attempt(self, start: str, local: End, asked: End) -> tuple[Leg, ...]:
        """A connection that nobody takes: it is seen on its way out."""
        way = up(start, self.ptp)
        leg = carried(way, local, asked, {})
        return (replace(leg, answered=False),) if way else ()

    def _to_pod(self, start: str, local: End, pod: str, port: int) -> Served | None:
        if start == "outside" or CONTAINERS.get(port) not in PODS[pod][4].split():
            return None
        way, dst = ports(start, pod, self.ptp, self.lies.detour and start in PODS), (PODS[pod][2], port)
        node = PODS[start][3] if start in PODS else start
        changes = {1: ((NODES[node], local[1]), dst)} if self.lies.natted else {}
        return Served(pod, 200, local, (carried(way, local, dst, changes),))

    def _to_node(self, start: str, local: End, ip: str, port: int) -> Served | None:
        node = next(name for name, address in NODES.items() if address == ip)
        if port == KUBELET:
            way = ports(start, node, self.ptp)
            leaves = start in PODS and PODS[start][3] != node and not self.lies.unmasqueraded
            snat = {way.index((PODS[start][3], "eth0", "out")): PODS[start][3]} if leaves else {}
            snat |= {1: node} if self.lies.natted else {}
            changes = {at: ((NODES[by], local[1]), (ip, port)) for at, by in snat.items()}
            return Served("", 404, local, (carried(way, local, (ip, port), changes),))
        asked = ((key, each) for key, told in SERVICES.items() for each in told[3])
        found = next((one for one in asked if node_port(*one) == port), None)
        if found is None or start != "outside":
            return None
        pod = self.pick(start, found[0])
        keeps = found[0] == (L4_NS, "web-local")
        if not pod or (keeps and PODS[pod][3] != node):
            return None
        way = by_way_of(node, start, pod, self.ptp)
        src = local if keeps else (leaving(node, PODS[pod][3] == node and not self.ptp), local[1])
        leg = carried(way, local, (ip, port), {3: (src, (PODS[pod][2], found[1]))})
        return Served(pod, 200, local, (leg,))

    def _away(self, start: str, local: End, ip: str, port: int) -> Served | None:
        if start not in PODS or port != 80:
            return None
        who = "near" if ip == OUTSIDE.near_ip else "outside"
        node, changes = PODS[start][3], {}
        way = up(start, self.ptp) + (down("outside") if who == "outside" else [])
        source = local
        if not self.lies.unmasqueraded:
            source = (NODES[node], local[1])
            changes[way.index((node, "eth0", "out"))] = (source, (ip, port))
        if who == "outside" and not self.lies.gate_open:
            changes[len(way) - 1] = ((OUTSIDE.gateway_outside_ip, local[1]), (ip, port))
        return Served(who, 200, local, (carried(way, local, (ip, port), changes),))

    def _to_proxy(self, local: End, asked: End) -> Leg:
        """From outside to a balancer: the gateway puts its own address."""
        return carried(up("outside"), local, asked, {1: ((OUTSIDE.gateway_ip, local[1]), asked)})

    def _balanced(self, local: End, key: Key, pod: str, asked: End) -> Served:
        """The balancer opens a connection of its own, to a node port."""
        server = (PODS[pod][2], asked[1])
        own = ("172.18.0.99" if self.lies.disguised else asked[0], self.next_port())
        if self.lies.direct:
            second = carried(down(pod, self.ptp), own, server, {})
        else:
            keeps = key == (L4_NS, "web-local")
            others = [node for node in ("worker-a", "worker-b") if node != PODS[pod][3]]
            node = PODS[pod][3] if keeps else others[0]
            port = (NODES[node], node_port(key, asked[1]))
            source = own if keeps else (NODES[node], own[1])
            second = carried(by_way_of(node, "", pod, self.ptp), own, port, {1: (source, server)})
        return Served(pod, 200, local, (self._to_proxy(local, asked), second))

    def _routed(self, local: End, ip: str, host: str, path: str) -> Served:
        """The proxy of an Ingress or a Gateway: a connection of its own, to a Pod."""
        first = self._to_proxy(local, (ip, 80))
        name = next((s for (h, prefix), s in ROUTES.items() if h == host and path.startswith(prefix)), "")
        name = name or ("shop" if self.lies.everything_routed else "")
        if not name:
            return Served("", 404, local, (first,))
        pod = self.pick("outside", (INGRESS_NS, name))
        if not pod:
            return Served("", self.lies.without, local, (first,))
        second = carried(down(pod, self.ptp), (ip, self.next_port()), (PODS[pod][2], 80), {})
        return Served(pod, 200, local, (first, second), OUTSIDE.gateway_ip)
