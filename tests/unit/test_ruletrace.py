"""What a real monitor told (samples/replay): drops of iptables and of nft, a policy, a Service's way.

The samples are of the default stack, while a fault dropped SYN-ACKs, and while a table of nft's own dropped
what went to port 80 by a rule and what went to port 8080 by its policy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from scripts.evidence.nodestate import read_state
from scripts.evidence.ruletrace import TABLE, Marked, Passage, marks, named, read
from scripts.runs.document import HopRecord, TraceRecord
from scripts.suite.hoprules import with_rules
from scripts.transport.frames import Output, Script

SAMPLES = Path(__file__).parent / "samples" / "replay"
IPTABLES, NFT = ((SAMPLES / f"trace-{name}.txt").read_text() for name in ("iptables", "nft"))


def state(when: str) -> dict[str, Output]:
    text = (SAMPLES / f"state-{when}.txt").read_text()
    return Script({}, boundary=text.split()[0]).parse(text.encode())


def at(passages: tuple[Passage, ...], place: str) -> Passage:
    """The last passage of a chain."""
    return [one for one in passages if f"{one.table}/{one.chain}" == place][-1]


def test_a_rule_of_iptables_has_its_place_and_its_own_text() -> None:
    passages = named(read(IPTABLES, "worker2"), {"ip": read_state(state("after")).ruleset})
    dropped = at(passages, "filter/FORWARD")
    assert dropped.answers and not dropped.opens and dropped.port == 20000
    assert (dropped.source, dropped.destination) == ("10.244.1.8:80", "10.244.2.2:20000")
    assert (dropped.node, dropped.iif, dropped.oif, dropped.length) == ("worker2", "cbr0", "eth0", 60)
    (rule,) = dropped.decisive
    assert rule is dropped.end and (rule.number, rule.handle, rule.where) == (1, 4080, "filter/FORWARD")
    assert rule.text.startswith(
        '-s 10.244.1.0/24 -d 10.244.2.0/24 -p tcp -m comment --comment "podpath-fault'
    )
    assert rule.text.endswith("--tcp-flags SYN,ACK SYN,ACK -j DROP")


def test_without_iptables_list_a_rule_keeps_nfts_words() -> None:
    end = at(read(IPTABLES, "worker2"), "filter/FORWARD").end
    assert end and end.text.startswith("meta l4proto tcp ip saddr 10.244.1.0/24") and end.number == 1


def test_the_request_went_through_before() -> None:
    asked = [one for one in read(IPTABLES, "n") if one.opens]
    assert [f"{one.table}/{one.chain}" for one in asked][-2:] == ["filter/FORWARD", "nat/POSTROUTING"]
    assert not any(one.end or one.decisive for one in asked)
    last = asked[-1].rules[-1]
    assert (last.verdict, last.text, last.number) == ("ACCEPT", "", 0)


def test_the_way_to_a_pod_is_the_jumps_that_led_to_its_dnat() -> None:
    entered = [one for one in read(NFT, "n") if (one.table, one.chain) == ("nat", "PREROUTING")]
    assert [rule.verdict for rule in entered[0].decisive] == [
        "JUMP KUBE-SERVICES",
        "JUMP KUBE-SVC-TUWG5PV7SLTBS6T3",
        "JUMP KUBE-SEP-OE63T5Z6GX3KFQBQ",
        "ACCEPT",
    ]
    assert entered[0].decisive[-1].rewrites and "dnat to 10.244.2.84:80" in entered[0].decisive[-1].text
    assert [rule.number for rule in entered[0].decisive] == [1, 16, 4, 2]
    assert at(read(NFT, "n"), "filter/FORWARD").decisive == ()


def test_a_rule_and_a_policy_of_a_table_of_nfts_own() -> None:
    by_rule, by_policy = (one.end for one in read(NFT, "n") if one.end)
    assert by_rule and (by_rule.where, by_rule.handle, by_rule.number) == ("podpath-sample/rules", 3, 1)
    assert by_rule.text == "ip saddr 10.244.1.3 tcp dport 80 drop"
    assert by_policy and (by_policy.where, by_policy.text) == ("podpath-sample/policies", "")
    assert by_policy.verdict == "DROP"


def test_our_own_marks_are_no_rules_that_were_met() -> None:
    assert TABLE in NFT and all(one.table != TABLE for one in read(NFT, "n"))
    told = marks(Marked(frozenset({"10.244.1.9"}), frozenset({"10.244.1.8"})))
    assert "tcp sport 20000-23999 tcp flags & syn == syn meta nftrace set 1" in told
    assert "ip saddr 10.244.1.9 udp dport 53" in told and "ip daddr 10.244.1.8 tcp flags" in told
    assert "10.244" not in marks() and "policy drop" not in told
    lent = marks(Marked(lenders=frozenset({"172.18.0.2"})))
    assert "ct original ip saddr 172.18.0.2" in lent and "priority -199" in lent
    assert "-199" not in told


LINES = st.lists(st.one_of(st.sampled_from((IPTABLES + NFT).splitlines()), st.text(max_size=80)), max_size=30)


@given(LINES, st.integers(0, 400))
def test_garbage_is_passed_over(lines: list[str], cut: int) -> None:
    heard = "\n".join(line[:cut] if n % 3 else line for n, line in enumerate(lines))
    for one in named(read(heard, "n"), {"ip": read_state({"rules": Output(heard, 0)}).ruleset}):
        assert one.node == "n" and one.port >= 0 and len(one.decisive) <= len(one.rules)


def test_rules_are_put_at_the_last_hop_of_a_node_each_way() -> None:
    def hop(node: str, name: str, way: Literal["request", "reply"]) -> HopRecord:
        ends = ["10.244.1.3:20000", "10.96.21.76:80"]
        return HopRecord(
            node=node, interface=name, label="", kind="other", direction="in", micros=0, changed=[], leg=1,
            way=way, source=ends[way == "reply"], destination=ends[way == "request"],
        )  # fmt: skip

    hops = [hop("n", "cbr0", "request"), hop("n", "eth0", "request"), hop("n", "eth0", "reply")]
    traced = TraceRecord(met={}, hops=hops, answer="", retransmissions=0, problem="")
    trace = with_rules(traced, read(NFT, "n"))
    assert not trace.hops[0].rules and not trace.hops[2].rules
    assert "dnat to" in trace.hops[1].rule
    decided = [rule for rule in trace.hops[1].rules if rule.decided]
    assert decided[-1].verdict == "DROP" and decided[0].verdict == "JUMP KUBE-SERVICES"
    assert not with_rules(traced, read(NFT, "elsewhere")).hops[1].rules
    other = [one.model_copy(update={"source": "10.244.1.3:20001"}) for one in hops[:2]]
    assert not any(
        hop.rules for hop in with_rules(traced.model_copy(update={"hops": other}), read(NFT, "n")).hops
    )


def test_chains_have_their_hooks_and_rules_their_texts_from_what_the_node_listed() -> None:
    saved = """*nat
[3:180] -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
COMMIT
"""
    with_list = read(f"{NFT}podpath-iptables\n{saved}", "n")
    assert {one.hook for one in with_list if one.chain in ("PREROUTING", "rules")} == {
        "prerouting",
        "forward",
    }
    first = next(one for one in with_list if (one.table, one.chain) == ("nat", "PREROUTING")).rules[0]
    assert first.text == '-m comment --comment "kubernetes service portals" -j KUBE-SERVICES'
    assert first.verdict == "JUMP KUBE-SERVICES"
