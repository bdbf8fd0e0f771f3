"""The samples are described in test_links.py."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.evidence import iproute
from scripts.evidence.datapath import Carrier, OtherNode, carriers, classify, node_end, route_to
from scripts.evidence.links import Link, Look, Route, Wiring, within
from tests.unit.test_links import LINE, NETWORK, ROUTE, sample, wiring

CONTROL = OtherNode("podpath-control-plane", "10.244.0.0/24", "172.21.0.2")
WORKER = OtherNode("podpath-worker", "10.244.2.0/24", "172.21.0.3")
WORKER2 = OtherNode("podpath-worker2", "10.244.1.0/24", "172.21.0.4")
OTHERS = {
    "kind": (replace(CONTROL, ip="172.25.0.3"), replace(WORKER2, ip="172.25.0.4")),
    "bridge": (CONTROL, WORKER2),
    "ptp": (CONTROL, WORKER2),
    "vxlan": (CONTROL, WORKER),
}
POD = {"kind": "10.244.2.7", "bridge": "10.244.2.2", "ptp": "10.244.2.2", "vxlan": "10.244.1.2"}
VETH = {
    "kind": "veth34f72a40",
    "bridge": "veth6cd0e0d6",
    "ptp": "veth40645013",
    "vxlan": "vethee65cf3a",
}


def veth(of: str) -> Link:
    found = wiring(of).named(VETH[of])
    assert found
    return found


@given(NETWORK, st.lists(ROUTE))
def test_the_longest_prefix_wins_then_the_lowest_metric(wanted: IPv4Network, printed: list[Route]) -> None:
    found = route_to(wanted, printed)
    covering = [r for r in printed if within(wanted, r.dst)]
    assert (found is None) == (not covering)
    for other in covering:
        assert found
        assert (other.dst.prefixlen, -other.metric) <= (found.dst.prefixlen, -found.metric)


def test_dead_routes_and_other_tables_carry_nothing() -> None:
    live = Route(IPv4Network("10.0.0.0/8"), "a")
    better = Route(IPv4Network("10.1.0.0/16"), "b")
    wanted = IPv4Network("10.1.0.0/24")
    assert route_to(wanted, [live, better]) is better
    assert route_to(wanted, [live, replace(better, flags=frozenset({"dead"}))]) is live
    assert route_to(wanted, [live, replace(better, table="local")]) is live


@pytest.mark.parametrize("of", OTHERS)
def test_the_pod_and_its_node_name_each_other(of: str) -> None:
    at = wiring(of)
    assert node_end(iproute.look(sample(of, "pod")), at.links, at.fdb) == veth(of)
    assert node_end(iproute.look(sample(of, "pod")), at.links) == veth(of)


def test_why_two_ends_do_not_name_each_other() -> None:
    at = wiring("bridge")
    pod = iproute.look(LINE)
    port = veth("bridge")

    def why(looks: Look, links: list[Link] | tuple[Link, ...] = at.links) -> str:
        told = node_end(looks, links, at.fdb)
        assert isinstance(told, str) and told.endswith(".")
        return told

    assert "names interface 99, and the node has none" in why(replace(pod, peer=99))
    assert "names no other end" in why(replace(pod, peer=None))
    assert "cbr0, which is a bridge and no veth" in why(replace(pod, peer=3))
    assert "names interface 2, while the Pod's eth0 is interface 7" in why(replace(pod, ifindex=7))
    assert "names no other end, while" in why(pod, [replace(port, peer=None)])
    assert "in the node's own namespace" in why(pod, [replace(port, netns=None)])
    assert "behind veth7ec5a0e1, and not behind veth6cd0e0d6" in why(replace(pod, mac="5a:1f:2b:32:6f:9e"))
    eth0 = at.named("eth0")
    assert eth0 and "on the host network" in why(Look(eth0.ifindex, "eth0", 4, eth0.mac))


def test_pods_of_one_node_share_their_index_and_only_the_peer_and_the_mac_tell() -> None:
    at = wiring("kind")
    pod = iproute.look(sample("kind", "pod"))
    ports = [link for link in at.links if link.master == "cbr0"]
    assert veth("kind") in ports and {link.peer for link in ports} == {pod.ifindex}
    for port in ports:
        claimed = replace(pod, peer=port.ifindex)
        assert node_end(claimed, at.links) == port  # as node_end warns, without the bridge's word
        told = node_end(claimed, at.links, at.fdb)
        if port == veth("kind"):
            assert told == port
        else:
            assert isinstance(told, str) and f"behind veth34f72a40, and not behind {port.name}." in told


def test_a_macvlan_in_the_pod_is_no_veth_pair() -> None:
    node = [link for link in iproute.links(sample("odd", "links")) if link.name != "mv"]
    told = node_end(iproute.look(sample("odd", "pod"), "mv"), node)
    assert told == "The other end of the node's va is in the node's own namespace."


def test_indices_repeat_between_nodes_and_only_the_mac_tells() -> None:
    stranger = iproute.look(sample("vxlan", "pod"))
    at = wiring("bridge")
    assert node_end(stranger, at.links, at.fdb) == veth("bridge")  # as node_end warns
    assert stranger.mac not in at.fdb


@pytest.mark.parametrize(
    ("of", "control", "worker2"),
    [("kind", "172.25.0.3", "172.25.0.4"), ("bridge", "172.21.0.2", "172.21.0.4")],
)
def test_the_articles_bridge(of: str, control: str, worker2: str) -> None:
    path = classify(POD[of], veth(of), wiring(of), OTHERS[of])
    assert (path.kind, path.bridge, path.between, path.uplink) == ("bridge", "cbr0", "host-gw", "eth0")
    inside, outside = path.told.split("; ")
    assert inside == f"{VETH[of]} is a port of the bridge cbr0, which is the Pods' gateway 10.244.2.1/24"
    routes = f"10.244.0.0/24 via {control} on eth0, 10.244.1.0/24 via {worker2} on eth0"
    assert outside == f"other nodes' Pod ranges go by host-gw: {routes}."


def test_point_to_point_has_no_bridge_and_says_so() -> None:
    path = classify(POD["ptp"], veth("ptp"), wiring("ptp"), OTHERS["ptp"])
    assert (path.kind, path.bridge, path.between, path.uplink) == ("ptp", "", "host-gw", "eth0")
    assert path.told.startswith(
        "veth40645013 is a port of no bridge and the node routes 10.244.2.2 straight to veth40645013, "
        "so packets between Pods of this node are routed too, and cross no bridge; "
    )


def test_vxlan_between_nodes() -> None:
    path = classify(POD["vxlan"], veth("vxlan"), wiring("vxlan"), OTHERS["vxlan"])
    assert (path.kind, path.bridge, path.between, path.uplink) == ("bridge", "cni0", "vxlan", "eth0")
    assert path.told.endswith("10.244.2.0/24 via 10.244.2.0 on flannel.1.")


@pytest.mark.parametrize("of", OTHERS)
def test_all_tables_say_the_same_as_the_main_one(of: str) -> None:
    at = wiring(of)
    every = replace(at, routes=tuple(iproute.routes(sample(of, "routes-all"))))
    assert len(every.routes) > len(at.routes)
    assert classify(POD[of], veth(of), every, OTHERS[of]) == classify(POD[of], veth(of), at, OTHERS[of])


def without(at: Wiring, dst: str, instead: Route | None = None) -> Wiring:
    kept = tuple(r for r in at.routes if str(r.dst) != dst)
    assert len(kept) < len(at.routes)
    return replace(at, routes=(*kept, instead) if instead else kept)


def test_a_bridge_that_is_not_the_pods_gateway_is_unknown() -> None:
    at = wiring("bridge")
    port = veth("bridge")

    def told(at: Wiring, port: Link = port) -> str:
        path = classify(POD["bridge"], port, at)
        assert path.kind == "unknown"
        return path.told

    elsewhere = tuple(replace(a, dev=a.dev + "x") for a in at.addresses)
    wrong = tuple(replace(a, dev="cbr0") for a in wiring("vxlan").addresses)
    assert "has no address in the range of 10.244.2.2" in told(replace(at, addresses=elsewhere))
    assert "has no address in the range of 10.244.2.2" in told(replace(at, addresses=wrong))
    assert "but the node routes 10.244.2.2 via 172.21.0.1 on eth0" in told(without(at, "10.244.2.0/24"))
    assert "belongs to gone, which is not among" in told(at, replace(port, master="gone"))
    assert "belongs to eth0, which is a veth and no bridge" in told(at, replace(port, master="eth0"))
    assert "is a port of no bridge, and the node routes" in told(at, replace(port, master=""))
    assert "the node has no route to 10.244.2.2" in told(replace(at, routes=()), replace(port, master=""))


@pytest.mark.parametrize(
    ("dst", "dev", "via", "scope", "kind"),
    [
        ("10.244.2.2/32", "veth40645013", "", "link", "ptp"),  # the plugin's own says "host"
        ("10.244.2.2/32", "veth40645013", "", "global", "unknown"),
        ("10.244.2.2/32", "veth40645013", "10.244.2.1", "link", "unknown"),
        ("10.244.2.2/32", "vethb193d69b", "", "link", "unknown"),
        ("10.244.2.0/24", "veth40645013", "", "link", "unknown"),
    ],
)
def test_ptp_needs_a_route_to_that_pod_alone(dst: str, dev: str, via: str, scope: str, kind: str) -> None:
    at = without(wiring("ptp"), "10.244.2.2/32", Route(IPv4Network(dst), dev, via, scope))
    assert classify(POD["ptp"], veth("ptp"), at).kind == kind


def test_each_nodes_range_has_its_carrier() -> None:
    found = carriers(OTHERS["bridge"], wiring("bridge"))
    second = found["podpath-worker2"]
    assert isinstance(second, Carrier) and isinstance(found["podpath-control-plane"], Carrier)
    assert (second.route.via, second.route.dev, second.between) == ("172.21.0.4", "eth0", "host-gw")
    assert second.told.startswith("The route 10.244.1.0/24 via 172.21.0.4 on eth0 carries the Pod range")


RANGE = IPv4Network(WORKER2.cidr)


@pytest.mark.parametrize(
    ("instead", "why"),
    [
        (None, "Only the default route (via 172.21.0.1 on eth0) covers the Pod range 10.244.1.0/24"),
        (Route(RANGE, type="blackhole"), "The blackhole route 10.244.1.0/24 ends the Pod range"),
        (
            Route(RANGE, "eth0", "172.21.0.2"),
            "via 172.21.0.2 on eth0 and not via the node itself (172.21.0.4).",
        ),
        (Route(RANGE, "eth0", scope="link"), "straight to eth0 and not via the node itself"),
        (Route(IPv4Network("10.244.1.0/26"), "eth0", WORKER2.ip), "Only the default route"),
    ],
)
def test_why_no_route_carries_a_range(instead: Route | None, why: str) -> None:
    at = without(wiring("bridge"), WORKER2.cidr, instead)
    found = carriers(OTHERS["bridge"], at)
    told = found["podpath-worker2"]
    assert isinstance(told, str) and why in told and told.endswith(".")
    assert isinstance(found["podpath-control-plane"], Carrier)
    path = classify(POD["bridge"], veth("bridge"), at, OTHERS["bridge"])
    assert (path.kind, path.between) == ("bridge", "unknown") and told in path.told


def test_nodes_without_a_range_and_nodes_without_routes() -> None:
    nothing = Wiring()
    bare = replace(WORKER2, cidr="")
    assert carriers([bare], nothing) == {bare.name: "podpath-worker2 has no Pod range, but none."}
    assert "No route covers" in str(carriers([WORKER2], nothing)[WORKER2.name])
    path = classify(POD["bridge"], veth("bridge"), nothing, [replace(WORKER2, ip="fd00::4")])
    assert path.uplink == ""


def test_the_uplink_leads_to_the_other_nodes_and_else_to_everywhere() -> None:
    at = without(wiring("bridge"), "172.21.0.0/16", Route(IPv4Network("172.21.0.0/16"), "eth1", scope="link"))
    assert classify(POD["bridge"], veth("bridge"), at, OTHERS["bridge"]).uplink == "eth1"
    path = classify(POD["bridge"], veth("bridge"), at)
    assert (path.uplink, path.between) == ("eth0", "unknown") and "there is no other node" in path.told


@pytest.mark.parametrize("kind", ["ipip", "geneve", "gre", "wireguard"])
def test_a_tunnel_is_no_host_gw_even_via_the_nodes_address(kind: str) -> None:
    at = wiring("bridge")
    at = replace(at, links=(*at.links, Link(9, "tun", kind)))
    one = without(at, WORKER2.cidr, Route(RANGE, "tun", WORKER2.ip))
    carrier = carriers([WORKER2], one)[WORKER2.name]
    assert isinstance(carrier, Carrier) and carrier.between == kind
    mixed = classify(POD["bridge"], veth("bridge"), one, OTHERS["bridge"])
    assert (mixed.between, mixed.uplink) == ("unknown", "eth0") and "different ways" in mixed.told
