"""A node's state before and after a replay, as a real node printed it (samples/replay)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.evidence import dnsask
from scripts.evidence.dnsask import DnsReply
from scripts.evidence.netfilter import Ruleset, read_ruleset
from scripts.evidence.nodestate import COMMANDS, NodeState, read_state
from scripts.transport.frames import Output
from tests.unit.test_ruletrace import state

BEFORE, AFTER = read_state(state("before")), read_state(state("after"))


def test_a_real_node() -> None:
    assert state("after").keys() <= COMMANDS.keys() and not AFTER.problem
    port = AFTER.devices["vethc065313d"]
    assert (port.kind, port.master, port.hairpin, port.mtu, port.up) == ("veth", "cbr0", True, 1500, True)
    assert not port.blocking and AFTER.devices["eth0"].hairpin is None
    assert {str(route.dst): route.via for route in AFTER.routes}["10.244.0.0/24"] == "172.18.0.4"
    assert AFTER.neighbours["172.18.0.6"] == "STALE"
    assert (AFTER.number("ipv4/ip_forward"), AFTER.number("ipv4/conf/cbr0/rp_filter")) == (1, 1)
    assert AFTER.number("ipv6/forwarding") == -1
    assert AFTER.counters["ActiveOpens"] == 5164 and AFTER.tracking["found"] == 19
    assert (AFTER.proxy, AFTER.proxy_exit) == ("iptables", 0)


def test_what_rules_counted_in_between() -> None:
    grown = {str(rule): more for rule, more in AFTER.ruleset.grown(BEFORE.ruleset)}
    (rule,) = [rule for rule, _ in AFTER.ruleset.grown(BEFORE.ruleset) if rule.ends]
    assert (rule.where, rule.target) == ("filter/FORWARD rule 1", "DROP") and grown[str(rule)] == 10
    assert AFTER.grown(BEFORE, "ActiveOpens") >= 0 and AFTER.grown(BEFORE, "Unknown") == 0
    assert not [*BEFORE.ruleset.grown(AFTER.ruleset)]


def test_equal_rules_are_counted_each_and_new_ones_from_nothing() -> None:
    def table(*counts: int, policy: str = "DROP [4:0]") -> Ruleset:
        lines = [f"[{count}:0] -A FORWARD -j DROP" for count in counts]
        return read_ruleset("\n".join(["*filter", f":FORWARD {policy}", *lines, "COMMIT"]))

    assert [more for _, more in table(3, 9, 2).grown(table(3, 7))] == [2, 2]
    assert [(p.chain, more) for p, more in table(policy="DROP [9:0]").dropped_by_policy(table())] == [
        ("FORWARD", 5)
    ]
    assert not [*table(policy="ACCEPT [9:0]").dropped_by_policy(table())]
    rule = table(0).find("filter", "FORWARD", "  -j   DROP ")
    assert rule and rule.number == 1 and table(0).find("nat", "FORWARD", "-j DROP") is None


def test_a_command_that_failed_says_nothing() -> None:
    lost = read_state({key: Output("no", 1) for key in COMMANDS} | {"proxy": Output("", 7)})
    assert lost == NodeState(problem="its rules could not be read", proxy_exit=7)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "ifname",
                    "dst",
                    "mtu",
                    "flags",
                    "linkinfo",
                    "stats64",
                    "rx",
                    "dropped",
                    "state",
                    "hairpin",
                    "master",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=4), st.sampled_from(["links", "ports", "routes", "neighbours"]))
def test_other_json_never_raises(printed: list[Any], key: str) -> None:
    assert read_state({key: Output(json.dumps(printed), 0)}).problem


@given(st.text(), st.sampled_from([*COMMANDS]))
def test_garbage_never_raises(text: str, key: str) -> None:
    read_state({key: Output(text, 0)})


def test_an_interface_of_which_no_flags_are_told_is_not_called_down() -> None:
    seen = read_state({"links": Output('[{"ifname": "eth0"}, {"ifname": "b", "flags": ["BROADCAST"]}]', 0)})
    assert [device.up for device in seen.devices.values()] == [True, False]


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("10.96.0.10 rcode=0 10.96.0.80,10.96.0.81", DnsReply("NOERROR", ("10.96.0.80", "10.96.0.81"))),
        ("10.96.0.10 rcode=3 ", DnsReply("NXDOMAIN")),
        ("10.96.0.10 rcode=5 ", DnsReply("REFUSED")),
        ("10.96.0.10 rcode=9 ", DnsReply("RCODE 9")),
        ("10.96.0.10 silent", DnsReply("silent")),
        ("10.96.0.10 refused", DnsReply("no listener")),
        ("10.96.0.10 else", None),
    ],
)
def test_what_dns_servers_say(line: str, reply: DnsReply | None) -> None:
    assert dnsask.read(f"noise\n{line}\n").get("10.96.0.10") == reply
    assert reply is None or reply.silent == (line.endswith("silent"))


@given(st.text())
def test_other_replies_never_raise(text: str) -> None:
    dnsask.read(text)
