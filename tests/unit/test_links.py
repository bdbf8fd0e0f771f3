"""Samples: what iproute2 6.1 printed on podpath-worker and in its Pod shop (``kind``: the cluster of this
project, flannel host-gw), in namespaces wired by CNI's own ``bridge`` and ``ptp`` plugins, with flannel's
vxlan device (``vxlan``), and by hand (``odd``); fields that say nothing here are left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.evidence import iproute
from scripts.evidence.iproute import read_wiring
from scripts.evidence.links import COMMANDS, Link, Look, Route, Wiring

SAMPLES = Path(__file__).parent / "samples"
LINE = (
    "2: eth0@if4: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP mode DEFAULT "
    "group default \\    link/ether 46:dd:9f:0a:a8:de brd ff:ff:ff:ff:ff:ff link-netns pplinks-bridge\n"
)


def sample(of: str, what: str) -> str:
    return (SAMPLES / of / f"{what}.json").read_text()


def wiring(of: str) -> Wiring:
    return read_wiring({what: sample(of, what) for what in COMMANDS})


def test_links_of_a_node() -> None:
    at = wiring("bridge")
    port = Link(4, "veth6cd0e0d6", "veth", "cbr0", 2, 1, "2e:07:20:b1:b8:9b", 1500)
    assert at.named(port.name) == port
    kinds = {link.name: link.kind for link in at.links}
    assert (kinds["lo"], kinds["eth0"], kinds["cbr0"]) == ("loopback", "veth", "bridge")
    assert {a.dev: str(a.ip) for a in at.addresses}["cbr0"] == "10.244.2.1/24"
    assert at.fdb["46:dd:9f:0a:a8:de"] == port.name


def test_links_of_a_kind_node() -> None:
    at = wiring("kind")
    port = Link(8, "veth34f72a40", "veth", "cbr0", 3, 6, "8a:5d:75:1f:92:cc", 1500)
    ports = [link for link in at.links if link.master == "cbr0"]
    assert port in ports and len(ports) == 10
    # Every Pod's eth0 is interface 3 of its own namespace; the node's own eth0 is a veth as well.
    assert {link.peer for link in ports} == {3} and len({link.netns for link in ports}) == 10
    assert at.named("eth0") == Link(259, "eth0", "veth", "", 260, 0, "02:42:ac:19:00:02", 1500)
    assert {a.dev: str(a.ip) for a in at.addresses}["cbr0"] == "10.244.2.1/24"
    assert at.fdb["6e:7d:7c:f3:27:9e"] == port.name


def test_a_vxlan_device_is_no_port_of_the_bridge() -> None:
    at = wiring("vxlan")
    tunnel = at.named("flannel.1")
    assert tunnel and (tunnel.kind, tunnel.peer, tunnel.master) == ("vxlan", None, "")
    assert "flannel.1" not in at.fdb.values() and "eth0" not in at.fdb.values()


def test_the_other_end_in_the_same_namespace_is_named_and_a_lower_device_is_none() -> None:
    one, other, macvlan = iproute.links(sample("odd", "links"))[1:]
    assert (one.peer, other.peer, one.netns) == (other.ifindex, one.ifindex, None)
    assert (macvlan.kind, macvlan.peer) == ("macvlan", None)


def test_odd_routes() -> None:
    first, second, blackhole, inet6, metric, link = iproute.routes(sample("odd", "routes"))
    assert (first.dst, first.via, first.dev) == (second.dst, "192.0.2.9", "va")
    assert second.flags == {"dead", "linkdown"} and "dead" not in first.flags
    assert (blackhole.type, blackhole.dev) == ("blackhole", "")
    assert inet6.via == "fe80::1" and metric.metric == 100 and (link.scope, link.via) == ("link", "")


@pytest.mark.parametrize(("of", "gateway"), [("vxlan", "172.21.0.1"), ("kind", "172.25.0.1")])
def test_the_default_route_and_other_tables(of: str, gateway: str) -> None:
    every = iproute.routes(sample(of, "routes-all"))
    assert str(every[0].dst) == "0.0.0.0/0" and every[0].via == gateway
    assert [r for r in every if r.table == "main"] == iproute.routes(sample(of, "routes"))
    assert {r.type for r in every if r.table == "local"} == {"local", "broadcast"}


@pytest.mark.parametrize("text", [LINE, "1: lo: <UP>\n" + LINE, sample("bridge", "pod")])
def test_a_pods_look(text: str) -> None:
    assert iproute.look(text) == Look(2, "eth0", 4, "46:dd:9f:0a:a8:de")
    assert iproute.look(LINE.replace("eth0@if4", "va@vb"), "va") == Look(2, "va", None, "46:dd:9f:0a:a8:de")


@pytest.mark.parametrize(
    "text", ["", "[]", "[{}]", LINE.replace("eth0", "net1"), 'Device "eth0" does not exist.']
)
def test_a_missing_interface_is_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"^The Pod shows no interface eth0: .*\.$"):
        iproute.look(text)


READERS: list[Callable[[str], object]] = [iproute.links, iproute.addresses, iproute.routes, iproute.fdb]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    "text", ["", "Cannot open netlink socket", '[{"ifindex":1', '{"ifindex":1}', "[" * 10**5]
)
def test_what_cannot_be_read_is_one_sentence(read: Callable[[str], object], text: str) -> None:
    with pytest.raises(ValueError, match=r"^(ip|bridge) \w+ printed [^\n]*\.$"):
        read(text)


def test_broken_entries_are_passed_over() -> None:
    said = [
        {"ifindex": True, "ifname": "a"},
        {"ifname": "b"},
        {"ifindex": 3},
        {"ifindex": 4, "ifname": "c", "linkinfo": "veth"},
    ]
    assert iproute.links(json.dumps(said)) == [Link(4, "c", "device")]
    infos = [
        {"family": "inet", "local": "10.0.0.1", "prefixlen": 33},
        {"family": "inet"},
        {"family": "inet6", "local": "::1"},
    ]
    assert iproute.addresses(json.dumps([{"ifname": "a", "addr_info": infos}, {"addr_info": 1}])) == []


SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
KEYS = ["ifindex", "ifname", "link", "link_index", "linkinfo", "info_kind", "address", "addr_info", "family"]
KEYS += [
    "local",
    "prefixlen",
    "dst",
    "gateway",
    "nexthops",
    "via",
    "host",
    "flags",
    "metric",
    "mac",
    "master",
]
ANYTHING = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=20,
)


@given(st.lists(ANYTHING, max_size=5))
def test_any_list_can_be_read(entries: list[object]) -> None:
    text = json.dumps(entries)
    for read in READERS:
        read(text)
    with pytest.raises(ValueError, match="no interface"):
        iproute.look(text, "not there")


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in [*READERS, iproute.look]:
        try:
            read(text)
        except ValueError as error:
            assert str(error).endswith(".")


NAME = st.text("abcxyz019.:-", min_size=1, max_size=15)
MAC = st.binary(min_size=6, max_size=6).map(lambda octets: octets.hex(":"))
INDEX = st.integers(1, 2**31)
LINK = st.builds(Link, INDEX, NAME, st.just("veth"), NAME | st.just(""), INDEX, st.integers(0, 99), MAC)


@given(st.lists(LINK, max_size=4))
def test_links_printed_are_read_back(printed: list[Link]) -> None:
    def shown(link: Link) -> dict[str, object]:
        ends = {"link_index": link.peer, "link_netnsid": link.netns, "linkinfo": {"info_kind": link.kind}}
        entry = {"ifindex": link.ifindex, "ifname": link.name, "address": link.mac.upper(), "unknown": [None]}
        return entry | ends | ({"master": link.master} if link.master else {})

    assert iproute.links(json.dumps([shown(link) for link in printed])) == printed


@given(st.builds(Look, INDEX, NAME, st.none() | INDEX, MAC))
def test_a_look_printed_as_a_line_is_read_back(printed: Look) -> None:
    shown = f"{printed.name}@if{printed.peer}" if printed.peer else printed.name
    line = f"{printed.ifindex}: {shown}: <UP> mtu 1500 \\    link/ether {printed.mac} brd ff:ff:ff:ff:ff:ff"
    assert iproute.look(line, printed.name) == printed


NETWORK = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(lambda n: IPv4Network(n, strict=False))
VIA = st.ip_addresses(v=4).map(str) | st.just("")
SCOPE = st.sampled_from(["global", "link", "host"])
ROUTE = st.builds(Route, NETWORK, NAME, VIA, SCOPE, metric=st.integers(0, 9))


@given(st.lists(ROUTE, max_size=4))
def test_routes_printed_are_read_back(printed: list[Route]) -> None:
    def shown(route: Route) -> dict[str, object]:  # as iproute2 does: no /32, and a name for everything
        dst = str(route.dst).removesuffix("/32") if route.dst.prefixlen else "default"
        optional = {"gateway": route.via, "scope": route.scope.replace("global", "")}
        entry = {"dst": dst, "dev": route.dev, "flags": [], "metric": route.metric, "unknown": 1}
        return entry | {key: value for key, value in optional.items() if value}

    assert iproute.routes(json.dumps([shown(route) for route in printed])) == printed
