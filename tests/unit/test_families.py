"""A cluster of two families of addresses: each is seen by itself, and asked by itself."""

from __future__ import annotations

import json
import struct
from ipaddress import IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labs import every_probe
from scripts.checks.twins import SUFFIX
from scripts.ends import end_of, family_of, ip_of, parted
from scripts.evidence import curl, nodestate
from scripts.evidence.iproute import addresses, routes
from scripts.evidence.links import EVERYWHERE, EVERYWHERE_V6, within
from scripts.evidence.nodeview import FEW, RULES, RULES_V6, commands, connections, rules_of
from scripts.evidence.pcap import Flag, read
from scripts.evidence.routing import NOWHERE, policies, way
from scripts.evidence.ruletrace import Marked, marks
from scripts.evidence.snapshot import Snapshot, snapshot_of
from scripts.evidence.view import NotHere, View
from scripts.transport.frames import Output

POD, NODE, CLUSTER = "fd00:10:244:1::5", "fd00:1::2", "fd00:10:96::80"
IPS = st.ip_addresses().map(str)


def ready(*ips: str) -> dict[str, object]:
    return {"podIP": ips[0], "podIPs": [{"ip": ip} for ip in ips]}


def sliced(kind: str, ip: str) -> dict[str, object]:
    return {
        "metadata": {
            "name": f"web-{kind}",
            "namespace": "n",
            "labels": {"kubernetes.io/service-name": "web"},
        },
        "addressType": kind,
        "endpoints": [{"addresses": [ip], "targetRef": {"name": "a"}}],
    }


def cluster(*families: int) -> Snapshot:
    """One node with a Pod behind a Service, each with an address of these families, in their order."""
    addresses = {4: ("172.18.0.2", "10.244.1.5", "10.96.0.80"), 6: (NODE, POD, CLUSTER)}
    node, pod, service = zip(*(addresses[family] for family in families), strict=True)
    ranges = {4: "10.244.1.0/24", 6: "fd00:10:244:1::/64"}
    meta = {"name": "a", "namespace": "n", "uid": "u"}
    return snapshot_of(
        [
            {
                "metadata": {"name": "w"},
                "spec": {"podCIDR": ranges[families[0]], "podCIDRs": [ranges[one] for one in families]},
                "status": {"addresses": [{"type": "InternalIP", "address": one} for one in node]},
            }
        ],
        [{"metadata": meta, "spec": {"nodeName": "w", "containers": [{"name": "c"}]}, "status": ready(*pod)}],
        [
            {"metadata": {"name": name, "namespace": "n"}, "spec": {"clusterIP": ips[0], "clusterIPs": ips}}
            for name, ips in (("web", [*service]), ("old", [service[0]]), ("bare", ["None"]))
        ],
        [sliced(kind, ip) for kind, ip in (("IPv4", "10.244.1.5"), ("IPv6", POD))],
        [],
    )


@pytest.mark.parametrize("first", [4, 6])
def test_a_cluster_is_first_seen_by_its_nodes_first_family_and_then_by_the_other(first: int) -> None:
    both = cluster(first, 10 - first)
    assert both.family == first and both.families == {4, 6}
    for family in (first, 10 - first):
        seen = both.in_family(family)
        (node,), (pod,), (end,) = seen.nodes, seen.pods, seen.endpoints["n", "web"]
        service = seen.services["n", "web"]
        told = (node.ip, node.pod_cidr, pod.ip, service.cluster_ip, end.ip)
        assert {family_of(one) for one in told} == {family}, told
        assert end.ip == pod.ip and seen.in_family(first) == both, "nothing is lost by looking"
        assert seen.services["n", "bare"].headless


def test_what_has_no_address_of_a_family_is_not_asked_by_it() -> None:
    view = View(cluster(4, 6), {"labs": {"x": {"namespace": "n"}}})
    assert view.by(0) is view and view.by(4) is view and view.by(6) is view.by(6)
    assert view.by(6).service("x", "web").cluster_ip == CLUSTER
    with pytest.raises(NotHere, match="the Service old has no IPv6 address"):
        view.by(6).service("x", "old")
    with pytest.raises(NotHere, match="not every node of this cluster has an IPv6 address"):
        View(cluster(4), {}).by(6)


def test_every_probe_that_can_has_a_twin_that_differs_in_its_family_alone() -> None:
    once, both = every_probe(), every_probe(True)
    twins = {probe.id: (lab, probe) for lab, probe in both if probe.family}
    assert [one for one in both if not one[1].family] == [*once]
    known = {probe.id: (lab, probe) for lab, probe in both}
    assert len(known) == len(both) and len({str(probe) for _, probe in twins.values()}) == len(twins)
    for id, (lab, twin) in twins.items():
        of, probe = known[id.removesuffix(SUFFIX)]
        assert (lab, twin.claim, twin.check, twin.source) == (of, probe.claim, probe.check, probe.source)
        assert {*twin.controls, *twin.rests_on} <= {*known} and str(twin) != str(probe)
    claims = {twin.claim for _, twin in twins.values()}
    assert {"P1", "P4", "P5", "S6", "S8", "K3"} <= claims
    assert not claims & {"C3", "E1", "E2", "I2", "S2"}, "these ask what has an IPv4 address alone"


# --- the readers ------------------------------------------------------------------------------------


@given(IPS, st.integers(0, 65535))
def test_an_end_is_taken_apart_again(ip: str, port: int) -> None:
    end = end_of(ip, port)
    assert parted(end) == (ip, str(port)) and ip_of(end) == ip
    assert family_of(ip) == ip_address(ip).version


def frame(
    source: str, to: str, following: int = 6, payload: bytes = b"GET / HTTP/1.1\r\n", cut: int = 0
) -> bytes:
    """A pcap file with one frame of IPv6, as `tcpdump -i any` keeps it."""
    tcp = struct.pack(">HHIIBBHHH", 40000, 80, 7, 9, 5 << 4, 24, 0, 0, 0) + payload
    head = struct.pack(">IHBB", 6 << 28, len(tcp), following, 63)
    ip = head + IPv6Address(source).packed + IPv6Address(to).packed
    cooked = struct.pack(">HHIHBB8s", 0x86DD, 0, 3, 1, 0, 6, b"\x02\x42\xac\x12\x00\x02\0\0")
    data = (cooked + ip + tcp)[: cut or None]
    header = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 1024, 276)
    return header + struct.pack("<IIII", 1, 5, len(data), len(data)) + data


def test_a_packet_of_ipv6_is_read() -> None:
    (packet,), whole = read(frame(POD, CLUSTER))
    assert whole and (packet.src, packet.sport, packet.dst, packet.dport) == (POD, 40000, CLUSTER, 80)
    assert (packet.seq, packet.ack, packet.flags) == (7, 9, Flag.PSH | Flag.ACK)
    assert (packet.payload, packet.length) == (b"GET / HTTP/1.1\r\n", 16)


@pytest.mark.parametrize("data", [frame(POD, NODE, 58), frame(POD, NODE, 44), frame(POD, NODE, cut=79)])
def test_what_is_no_tcp_or_too_short_is_no_packet(data: bytes) -> None:
    assert read(data)[0] == ()


def test_a_node_is_asked_by_both_families_only_where_it_has_both() -> None:
    one, both = commands(["10.0.0.1"]), commands(["10.0.0.1", POD], families={4, 6})
    assert {*RULES} < {*one} and not {*RULES_V6} & {*one} and {*RULES_V6} < {*both}
    assert both["conntrack/10.0.0.1"] == one["conntrack/10.0.0.1"]
    assert both[f"conntrack/{POD}"][-4:] == ["-f", "ipv6", "-s", POD]
    many = connections([*(f"10.0.0.{n}" for n in range(FEW)), POD])
    assert {*many} == {"conntrack/many", "conntrack/many-v6"}
    assert many["conntrack/many-v6"][-2:] == ["-f", "ipv6"] and f"src={POD} " in many["conntrack/many-v6"]


DOOR = '-A KUBE-SERVICES -d {} -p tcp -m comment --comment "n/web cluster IP" --dport 80 -j KUBE-SVC-{}'
NODEPORT = '-A KUBE-NODEPORTS -p tcp -m comment --comment "n/web" --dport 30080 -j KUBE-SVC-{}'
CHOICE = "-A KUBE-SVC-{0} -j KUBE-SEP-{0}\n-A KUBE-SEP-{0} -p tcp -j DNAT --to-destination {1}"


def saved(ip: str, name: str, to: str) -> Output:
    lines = ["*nat", DOOR.format(ip, name), NODEPORT.format(name), CHOICE.format(name, to), "COMMIT"]
    return Output(
        "\n".join(f"[0:0] {line}" if line[0] == "-" else line for line in "\n".join(lines).split("\n")), 0
    )


def test_rules_of_both_families_stand_beside_each_other() -> None:
    rules = rules_of(
        {
            "iptables": saved("10.96.0.80/32", "A", "10.244.1.5:80"),
            "ip6tables": saved(f"{CLUSTER}/128", "B", f"[{POD}]:80"),
        }
    )
    found = {key.address: [one.address for one in of.backends] for key, of in rules.services.items()}
    assert found == {"10.96.0.80": ["10.244.1.5:80"], CLUSTER: [f"[{POD}]:80"]}
    (port,) = rules.node_ports.values()
    assert [one.address for one in port.backends] == ["10.244.1.5:80"], "a node port is known by its number"


def test_a_node_has_a_state_of_each_family() -> None:
    outputs = {
        "rules": Output("*filter\n:FORWARD ACCEPT [1:60]\nCOMMIT\n", 0),
        "rules-v6": Output("*filter\n:FORWARD DROP [2:80]\n[3:9] -A FORWARD -j DROP\nCOMMIT\n", 0),
        "routes": Output('[{"dst": "10.244.2.0/24", "gateway": "172.18.0.3", "dev": "eth0"}]', 0),
        "routes-v6": Output('[{"dst": "fd00:10:244:2::/64", "gateway": "fd00:1::3", "dev": "eth0"}]', 0),
        "switches": Output(
            "/proc/sys/net/ipv4/ip_forward:1\n/proc/sys/net/netfilter/nf_conntrack_max:9\n", 0
        ),
        "switches-v6": Output("/proc/sys/net/ipv6/conf/all/forwarding:0\n", 0),
    }
    four, six = (nodestate.read_state(outputs, family) for family in (4, 6))
    assert four == nodestate.read_state(outputs) and not four.ruleset.rules and len(six.ruleset.rules) == 1
    assert [str(one.dst) for one in six.routes] == ["fd00:10:244:2::/64"]
    assert four.number("ipv4/ip_forward") == 1 and six.number("ipv4/ip_forward") == -1
    assert six.number("ipv6/conf/all/forwarding") == 0 and six.number("netfilter/nf_conntrack_max") == 9


def test_ways_of_ipv6_are_found_by_their_own_routes_and_rules() -> None:
    known = routes(
        '[{"dst": "default", "gateway": "fd00:1::1", "dev": "eth0"},'
        ' {"type": "blackhole", "dst": "fd00:10:244:2::/64", "dev": "lo", "table": "main"}]'
    )
    assert known[0].dst == EVERYWHERE_V6 and within(known[1].dst, EVERYWHERE_V6)
    assert not within(known[1].dst, EVERYWHERE) and not within(EVERYWHERE, known[1].dst)
    lost = way(known, (), POD, "fd00:10:244:2::7")
    assert lost == known[1] and lost.type in NOWHERE
    assert (
        way(known, (), POD, "fd00:10:244:3::7") == known[0] and way(known, (), "10.0.0.1", "10.0.0.2") is None
    )
    (rule,) = policies([{"priority": 9, "src": "fd00:10:244:1::", "srclen": 64, "action": "prohibit"}])
    assert way(known, [rule], POD, NODE) == rule and str(rule) == "9: from fd00:10:244:1::/64 prohibit"
    (single,) = policies([{"priority": 9, "src": POD, "action": "prohibit"}])
    assert way(known, [single], NODE, NODE) is None and way(known, [single], POD, NODE) == single


def test_addresses_of_the_link_alone_are_nobodys() -> None:
    infos = [
        {"family": "inet6", "local": NODE, "prefixlen": 64},
        {"family": "inet6", "local": "fe80::1", "prefixlen": 64},
        {"family": "inet", "local": "169.254.1.1", "prefixlen": 16},
    ]
    found = addresses(json.dumps([{"ifname": "eth0", "addr_info": infos}]))
    assert [str(one.ip.ip) for one in found] == [NODE, "169.254.1.1"]


def test_packets_are_marked_in_a_table_of_each_family_that_is_asked() -> None:
    assert "ip6" not in marks() and "ip6" not in marks(Marked(openers=frozenset({"10.0.0.1"})))
    assert "table ip6 podpath-replay" in marks(Marked(six=True))
    both = marks(Marked(openers=frozenset({"10.0.0.1", POD}), lenders=frozenset({NODE})))
    four, _, six = both.partition("table ip6")
    assert "10.0.0.1" in four and POD not in four and f"ip6 saddr {POD}" in six and "10.0.0.1" not in six
    assert f"ct original ip6 saddr {NODE}" in six and "ct original" not in four


def test_a_name_is_looked_up_by_the_family_that_is_asked() -> None:
    plain, pinned = curl.Request("n", "http://web/"), curl.Request("n", "http://web/", family=6)
    assert b"\nipv6\n" in curl.render([pinned]) and b"ipv" not in curl.render([plain])
    assert "--ipv6" in pinned.argv() and not [word for word in plain.argv() if word.startswith("--ipv")]
