from __future__ import annotations

import json
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.evidence.rules import Masquerade, Rules, ServiceKey, ServiceRules, delta, differs
from scripts.evidence.ruleset import read

SAMPLES = Path(__file__).parent / "samples"
# two nodes of a kind cluster, Kubernetes 1.37.2, with some of its Services: one node before and after probes
BEFORE, WORKER, WORKER2 = (
    (SAMPLES / f"kube-proxy-{name}.iptables.txt").read_text()
    for name in ("worker-before", "worker", "worker2")
)
FRONTEND = "podpath-pod-to-service/frontend"
# what kube-proxy 1.37.2 writes for Services of every traffic policy, loaded into a kernel and listed by
# iptables-save 1.8.9 and nft 1.0.6
IPTABLES = (SAMPLES / "kube-proxy-policies.iptables.txt").read_text()
NFT = (SAMPLES / "kube-proxy-policies.nft.txt").read_text()

CLUSTER_IP = ServiceKey("10.96.46.233", 80, "tcp")
THREE = ["10.244.1.3:80", "10.244.1.4:80", "10.244.2.3:80"]
BOTH = pytest.mark.parametrize("rules", [read(IPTABLES), read("", NFT)], ids=["iptables", "nftables"])


def test_a_real_node() -> None:
    rules = read(WORKER)
    assert rules.mode == "iptables"
    nginx = rules.services[ServiceKey("10.96.77.97", 80, "tcp")]
    assert (nginx.name, nginx.packets, nginx.masquerades) == (f"{FRONTEND}:nginx", 454, False)
    assert [(backend.address, backend.packets) for backend in nginx.backends] == [
        ("10.244.1.7:80", 145),
        ("10.244.1.8:80", 146),
        ("10.244.2.8:80", 165),
    ]
    port = rules.node_ports[32113, "tcp"]
    assert (port.name, port.packets, port.masquerades, port.local_only) == (nginx.name, 2, True, False)
    assert 454 + 2 == 145 + 146 + 165 and port.backends == nginx.backends
    local, cluster = rules.node_ports[30560, "tcp"], rules.node_ports[32196, "tcp"]
    assert (local.name, local.local_only, local.masquerades, local.backends) == (
        "podpath-ingress-l4/web-local:nginx",
        True,
        False,
        (),
    )
    assert (cluster.local_only, cluster.masquerades, len(cluster.backends)) == (False, True, 1)
    assert len(rules.entries) == 8


def test_real_nodes_hold_the_same_table() -> None:
    one, other = read(WORKER), read(WORKER2)
    assert differs(one, other) == "" and one.entries != other.entries
    assert len(one.node_ports[30560, "tcp"].backends) == 0
    assert len(other.node_ports[30560, "tcp"].backends) == 1  # its own Pod, by right


def test_a_real_node_counts() -> None:
    grown = delta(read(BEFORE), read(WORKER))
    nginx = grown.services[ServiceKey("10.96.77.97", 80, "tcp")]
    assert nginx.packets == 152 and grown.node_ports[32113, "tcp"].packets == 1
    assert [backend.packets for backend in nginx.backends] == [47, 53, 53]
    assert {rule.chain: rule.packets for rule in grown.masquerades if rule.packets} == {
        "FLANNEL-POSTRTG": 5,
        "KUBE-POSTROUTING": 6,
    }
    back = delta(read(WORKER), read(BEFORE))
    assert {of.packets for of in back.entries.values()} == {None}


@BOTH
def test_shares_of_three_backends_are_exact(rules: Rules) -> None:
    shares = [backend.share for backend in rules.services[CLUSTER_IP].backends]
    assert sum(shares) == 1
    assert all(abs(share - Fraction(1, 3)) < Fraction(1, 2**31) for share in shares)
    assert shares[0] == Fraction(715827883, 2**31)  # 0.33333333349, as the kernel rounds it
    assert [*rules.services[CLUSTER_IP].shares] == THREE


@BOTH
def test_policies(rules: Rules) -> None:
    def told(of: ServiceRules) -> tuple[str, int, bool, bool, bool]:
        return of.name, len(of.backends), of.local_only, of.masquerades, of.sticky

    assert {str(key): told(of) for key, of in rules.entries.items()} == {
        "10.96.46.233:80/tcp": ("lab/frontend:nginx", 3, False, False, False),
        "172.21.0.6:80/tcp": ("lab/frontend:nginx", 3, False, True, False),
        "node port 32578/tcp": ("lab/frontend:nginx", 3, False, True, False),
        "10.96.46.234:80/tcp": ("lab/local:nginx", 3, False, False, False),
        "172.21.0.7:80/tcp": ("lab/local:nginx", 2, True, False, False),
        "node port 32579/tcp": ("lab/local:nginx", 2, True, False, False),
        "10.96.46.235:80/tcp": ("lab/away:nginx", 1, False, False, False),
        "172.21.0.8:80/tcp": ("lab/away:nginx", 0, True, False, False),
        "node port 32580/tcp": ("lab/away:nginx", 0, True, False, False),
        "10.96.46.236:80/tcp": ("lab/sticky", 2, False, False, True),
    }
    assert rules.node_ports[32578, "tcp"].masquerades
    assert len(rules.services) + len(rules.node_ports) == len(rules.entries)


def test_both_modes_say_the_same() -> None:
    iptables, nftables = read(IPTABLES), read("", NFT)
    assert differs(iptables, nftables, ("a", "b")) == "a is in iptables mode, b in nftables mode"
    assert differs(iptables, replace(nftables, mode="iptables")) == ""


def test_modes() -> None:
    ipvs = "*nat\n-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT\n"
    assert read(IPTABLES).mode == "iptables" and read("", NFT).mode == read(IPTABLES, NFT).mode == "nftables"
    assert read(ipvs).mode == "ipvs" and read(ipvs).entries == {}
    assert read("iptables-save: not found", "Error: No such file or directory").mode == "none"
    assert read(IPTABLES.replace("*nat", "*filter")).mode == "none"


def test_nftables_mode_keeps_the_sources_that_iptables_translates() -> None:
    flannel = "*nat\n[7:420] -A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE\nCOMMIT\n"
    rules = read(flannel, NFT)
    assert rules.mode == "nftables"
    assert [(rule.chain, rule.packets) for rule in rules.masquerades] == [
        ("FLANNEL-POSTRTG", 7),
        ("masquerading", None),  # what is marked
        ("masquerading", None),  # a Pod that reached itself
    ]


def test_one_service_alone() -> None:
    only = read(IPTABLES).of("lab/frontend")
    assert [str(key) for key in only.entries] == [
        "10.96.46.233:80/tcp",
        "172.21.0.6:80/tcp",
        "node port 32578/tcp",
    ]
    assert [of.name for of in read(IPTABLES).of("lab/sticky").entries.values()] == ["lab/sticky"]
    assert read(IPTABLES).of("lab/front").entries == {}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("--to-destination 10.244.2.3:80", "--to-destination 10.244.2.9:80",
         "lab/frontend:nginx at 10.96.46.233:80/tcp gives 10.244.2.3:80 33.3% on a, 0.0% on b (and 4 more)"),
        ("--probability 0.33333333349", "--probability 0.25000000000",
         "lab/frontend:nginx at 10.96.46.233:80/tcp gives 10.244.1.3:80 33.3% on a, 25.0% on b (and 3 more)"),
        ("-d 10.96.46.236/32", "-d 10.96.46.99/32",
         "only a has lab/sticky at 10.96.46.236:80/tcp (and 1 more)"),
        ("--dport 32578", "--dport 32600",
         "only a has lab/frontend:nginx at node port 32578/tcp (and 1 more)"),
        ("-j KUBE-SVL-LOCAL", "-j KUBE-SVC-LOCAL",
         "lab/local:nginx at 172.21.0.7:80/tcp sends to the node's own Pods only on a alone (and 1 more)"),
        ("lab/sticky cluster IP", "lab/glue cluster IP",
         "lab/sticky at 10.96.46.236:80/tcp is lab/glue on b"),
        ("--rcheck --seconds 10800", "--seconds 10800",
         "lab/sticky at 10.96.46.236:80/tcp keeps a client at its Pod on a alone"),
        ('external destinations" -j KUBE-MARK-MASQ', 'external destinations" -j RETURN',
         "lab/frontend:nginx at 172.21.0.6:80/tcp replaces the source address on a alone (and 1 more)"),
        ("-A KUBE-SVL-LOCAL", "-A KUBE-SVL-LOST", ""),
        ("[0:0]", "[9:540]", ""),
    ],
)  # fmt: skip
def test_what_differs_is_told(old: str, new: str, sentence: str) -> None:
    assert old in IPTABLES
    other = read(IPTABLES.replace(old, new))
    assert differs(read(IPTABLES), other, ("a", "b")) == sentence


def test_order_makes_no_difference() -> None:
    """The kernels' rounding gives the first backend 2^-31 more: which one that is, is no difference."""
    swap = {"10.244.1.3": "10.244.2.3", "10.244.2.3": "10.244.1.3"}
    swapped = re.sub("|".join(swap), lambda found: swap[found[0]], IPTABLES)
    assert swapped != IPTABLES
    assert differs(read(IPTABLES).of("lab/frontend"), read(swapped).of("lab/frontend")) == ""


MASQUERADES = """\
[{0}:1] -A KUBE-POSTROUTING -j MASQUERADE --random-fully
[{1}:1] -A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -m comment --comment flanneld -j MASQUERADE
"""
TABLE = (
    """\
*nat
[{2}:1] -A KUBE-SERVICES -d 10.96.46.233/32 -p tcp -m comment --comment "n/s cluster IP" -m tcp --dport 80 -j KUBE-SVC-S
[{3}:1] -A KUBE-SVC-S -m comment --comment "n/s -> 10.244.1.3:80" -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-1
[{4}:1] -A KUBE-SVC-S -m comment --comment "n/s -> 10.244.1.4:80" -j KUBE-SEP-2
[0:0] -A KUBE-SEP-1 -p tcp -m comment --comment "n/s" -m tcp -j DNAT --to-destination 10.244.1.3:80
[0:0] -A KUBE-SEP-2 -p tcp -m comment --comment "n/s" -m tcp -j DNAT --to-destination 10.244.1.4:80
"""  # noqa: E501
    + MASQUERADES
)


def counts(rules: Rules) -> list[int | None]:
    (entry,) = rules.entries.values()
    masquerades = [rule.packets for rule in rules.masquerades]
    return [*masquerades, entry.packets, *(backend.packets for backend in entry.backends)]


@pytest.mark.parametrize(
    ("before", "after", "grown"),
    [
        ((1, 2, 30, 14, 16), (1, 5, 60, 30, 30), [0, 3, 30, 16, 14]),
        ((1, 2, 30, 14, 16), (0, 5, 60, 30, 30), [None, 3, None, 16, 14]),  # kube-proxy's chains written anew
        ((1, 2, 30, 14, 16), (9, 5, 20, 30, 30), [None, 3, None, 16, 14]),
        ((1, 2, 30, 14, 16), (1, 0, 60, 30, 30), [0, None, 30, 16, 14]),
        ((1, 2, 30, 14, 16), (1, 2, 60, 30, 15), [0, 0, 30, None, None]),
    ],
)
def test_what_was_counted_since(
    before: tuple[int, ...], after: tuple[int, ...], grown: list[int | None]
) -> None:
    assert counts(delta(read(TABLE.format(*before)), read(TABLE.format(*after)))) == grown


def test_other_rules_count_nothing_since() -> None:
    before, after = read(TABLE.format(1, 2, 3, 4, 5)), read(TABLE.format(6, 6, 6, 6, 6))
    moved = read(TABLE.format(6, 6, 6, 6, 6).replace("10.244.1.4:80", "10.244.1.9:80"))
    assert counts(delta(before, moved)) == [None, 4, None, None, None]
    assert counts(delta(Rules(), after)) == [None, None, None, None, None]
    nft = read("", NFT)
    assert all(of.packets is None for of in delta(nft, nft).entries.values())


def test_the_same_endpoint_counts_once_for_sticky_and_new_clients() -> None:
    counted = re.sub(r"\[0:0\] (?=-A KUBE-SVC-STICKY)", "[5:300] ", IPTABLES)
    sticky = read(counted).services[ServiceKey("10.96.46.236", 80, "tcp")]
    assert [(backend.share, backend.packets) for backend in sticky.backends] == [(Fraction(1, 2), 10)] * 2


def nftables(choice: object, *more: object) -> str:
    """A table with the Service n/s, whose chain does ``choice``."""
    door = [{"concat": ["10.96.0.9", "tcp", 1]}, {"goto": {"target": "service-H-n/s/tcp/"}}]
    rules = [{"rule": {"table": "kube-proxy", "chain": "service-H-n/s/tcp/", "expr": [choice]}}, *more]
    doors = {"map": {"table": "kube-proxy", "name": "service-ips", "elem": [door]}}
    return json.dumps({"nftables": [doors, *rules]})


@given(st.integers(1, 40))
def test_shares_of_any_number_of_backends(number: int) -> None:
    entry = "-A KUBE-SERVICES -d 10.96.0.9/32 -p tcp -m comment --comment n/s -m tcp --dport 1 -j KUBE-SVC-S"
    lines, gotos, ends, chains = ["*nat", entry], [], [], []
    for i in range(number):
        left = number - i
        odds = f"-m statistic --mode random --probability {1 / left:.11f} " if left > 1 else ""
        lines.append(f"-A KUBE-SVC-S {odds}-j KUBE-SEP-{i}")
        lines.append(f"-A KUBE-SEP-{i} -p tcp -m tcp -j DNAT --to-destination [fd00::{i}]:80")
        gotos.append([i, {"goto": {"target": f"endpoint-{i}"}}])
        ends.append([i, {"concat": [f"fd00::{i}", 80]}])
        dnat = [{"dnat": {"addr": f"fd00::{i}", "port": 80}}]
        chains.append({"rule": {"table": "kube-proxy", "chain": f"endpoint-{i}", "expr": dnat}})
    numgen = {"numgen": {"mode": "random", "mod": number, "offset": 0}}
    jumping = nftables({"vmap": {"key": numgen, "data": {"set": gotos}}}, *chains)
    direct = nftables({"dnat": {"addr": {"map": {"key": numgen, "data": {"set": ends}}}}})
    tables = [read("\n".join(lines)), read("", jumping), read("", direct)]
    for rules in tables:
        (of,) = rules.entries.values()
        assert of.name == "n/s" and len(of.backends) == number
        assert sum(backend.share for backend in of.backends) == 1
        assert all(abs(backend.share - Fraction(1, number)) < Fraction(1, 2**29) for backend in of.backends)
    assert tables[1] == tables[2]
    assert differs(tables[0], replace(tables[1], mode="iptables")) == ""


LEAF = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
WORDS = st.sampled_from(
    ["nftables", "rule", "map", "table", "name", "chain", "expr", "elem", "vmap", "goto", "target"]
)
JSON = st.recursive(LEAF, lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner), max_leaves=20)


@given(
    st.text(), st.text() | JSON.map(json.dumps) | st.lists(JSON).map(lambda x: json.dumps({"nftables": x}))
)
def test_anything_can_be_read(iptables: str, nft: str) -> None:
    assert isinstance(read("*nat\n" + iptables, nft), Rules)


@given(st.data())
def test_a_table_in_pieces_can_be_read(data: st.DataObject) -> None:
    """Lines lost, doubled or in another order: chains that are not there and chains that lead back."""
    lines = data.draw(st.lists(st.sampled_from(IPTABLES.splitlines()), max_size=60))
    looped = [line.replace("KUBE-SVC-LOCAL", "KUBE-EXT-LOCAL") for line in lines]
    for text in (lines, looped):
        for of in read("\n".join(["*nat", *text])).entries.values():
            assert 0 <= sum(backend.share for backend in of.backends) <= 1


def test_masquerade_is_told_with_its_rule() -> None:
    assert read(IPTABLES).masquerades == (
        Masquerade(
            "KUBE-POSTROUTING",
            '-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully',
            0,
        ),
    )
