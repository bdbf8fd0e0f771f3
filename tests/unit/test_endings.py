"""Claims K4, K5 and K7: UDP, who keeps a client and how long, and Pods that end while clients ask."""

from __future__ import annotations

import dataclasses
import re

import pytest

from scripts.checks.base import Observation
from scripts.checks.datagrams import read
from scripts.checks.destinations import Service
from scripts.checks.kept import Freed, Keeping
from scripts.checks.verdict import Failure, Verdict
from scripts.evidence.conntrack import parse
from scripts.evidence.policyengine import engine
from tests.unit import atlas
from tests.unit.lies import Lies
from tests.unit.runs import F, I, P, finding, results
from tests.unit.world import World

pytestmark = pytest.mark.usefixtures("impatient")
TWO = atlas.PODS["datagram-2"][2]
LINE = (
    "ipv4     2 udp      17 29 src=10.244.1.3 dst=10.96.0.55 sport=47111 dport=5300 "
    "src=10.244.2.18 dst=10.244.1.3 sport=5300 dport=47111 mark=0 use=1"
)


@pytest.mark.parametrize(
    ("lies", "probe", "verdict", "failure"),
    [
        (Lies(deaf_udp={TWO}), "K4-direct-1-other", F, Failure.TIMED_OUT),
        (Lies(deaf_udp={TWO}), "K4-direct-1-same", P, None),
        (
            Lies(deaf_udp={atlas.SERVICES[atlas.PITFALLS_NS, "datagram"][0]}),
            "K4-service-1",
            F,
            Failure.TIMED_OUT,
        ),
        (Lies(udp_natted=True), "K4-direct-2-other", F, Failure.NAT_FOUND),
        (Lies(udp_natted=True), "K4-nodeport", P, None),
        (Lies(misrouted=True), "K4-service-2", F, Failure.NO_TRANSLATION),
        (Lies(untracked=True), "K4-service-2", I, Failure.NO_EVIDENCE),
        (Lies(agents_down=True), "K4-service-2", I, Failure.TRANSPORT),
        (Lies(unsaid=True), "K4-nobody", F, Failure.TIMED_OUT),
        (Lies(deaf_udp={TWO}), "K4-nobody", I, Failure.CONTROL_FAILED),
        (Lies(stale=True), "K4-replaced", F, Failure.NOT_FOLLOWED),
        (Lies(never_replaced=True), "K4-replaced", P, None),
        (Lies(lost={"client"}), "K4-replaced", I, Failure.TRANSPORT),
        (Lies(for_ever=True), "K5-timeout", F, Failure.NOT_BALANCED),
        (Lies(unkept=True), "K5-timeout", F, Failure.NOT_KEPT),
        (Lies(unkept=True), "K5-gone", F, Failure.NOT_KEPT),
        (Lies(never_replaced=True), "K5-gone", P, None),
        (Lies(dropped_by={"graceful": 1}), "K7", F, Failure.PACKETS_LOST),
        (Lies(dropped_by={"abrupt": 9}), "K7", P, None),
        (Lies(never_replaced=True), "K7", I, Failure.NOT_REPLACED),
        (Lies(packets_up_to=1299, unsaid=True), "K1-largest-1-other", F, Failure.SIZE_LOST),
        (Lies(packets_up_to=1299), "K1-largest-1-other", P, None),
        (Lies(packets_up_to=1299, unsaid=True), "K1-largest-1-same", F, Failure.SIZE_LOST),
        (Lies(deaf_udp={TWO}, unsaid=True), "K1-largest-1-other", F, Failure.TIMED_OUT),
    ],
)
def test_each_lie_is_noticed(lies: Lies, probe: str, verdict: Verdict, failure: Failure | None) -> None:
    seen = finding(lies, probe)
    assert (seen.verdict, seen.failure) == (verdict, failure), seen
    assert seen.why


def test_a_port_that_is_answered_no_more_is_told_with_what_was_lost() -> None:
    why = finding(Lies(stale=True), "K4-replaced").why
    assert why.startswith(
        "gave up after 0 s waiting for an answer to the same port of another Pod than datagram-"
    )
    assert why.endswith(" datagrams of port 47111 had no answer since")


def test_what_ends_abruptly_loses_and_is_told_how_many() -> None:
    why = finding(Lies(dropped_by={"abrupt": 9}), "K7").why
    told = r"none of \d+ connections to graceful was lost; (\d+) of (\d+) to abrupt, whose Pods end at once"
    match = re.fullmatch(told, why)
    assert match and 18 <= int(match[1]) < int(match[2]), why


def test_a_graceful_end_that_loses_is_red_with_the_count() -> None:
    why = finding(Lies(dropped_by={"graceful": 1}), "K7").why
    told = (
        r"[2-9] of \d+ connections to graceful failed \(curl exit 7\) although its Pods wait before they end"
    )
    assert re.fullmatch(told, why), why


@pytest.mark.parametrize("probe", ["K4-replaced", "K5-gone", "K7"])
def test_what_ends_is_there_again_afterwards(probe: str) -> None:
    made = World()
    assert results(ids=probe, made=made)[probe].verdict is P
    assert not made.running and made.notes == World().notes
    kinds = sorted(made.apps.values())
    assert kinds == sorted(World().apps.values())


def test_the_word_of_a_smaller_mtu_is_told() -> None:
    told = finding(Lies(packets_up_to=1299), "K1-largest-1-other").why
    assert told == (
        "a packet of 1299 octets passes in one piece, 1300 are too big "
        "(an ICMP message said so; the interface takes 1500)"
    )
    lost = finding(Lies(packets_up_to=1299, unsaid=True), "K1-largest-1-other").why
    assert "pass up to 1299 octets; larger ones are lost in silence" in lost


def test_a_policy_engine_is_named_by_its_pods() -> None:
    view = atlas.view()
    pod = dataclasses.replace(view.snapshot.pods[0], name="x", labels={"k8s-app": "calico-node"})
    shot = dataclasses.replace(view.snapshot, pods=(*view.snapshot.pods, pod))
    assert (engine(view), engine(dataclasses.replace(view, snapshot=shot))) == ("", "Calico")


def test_datagrams_that_are_not_reported_whole_are_skipped() -> None:
    assert read("n 10.0.0.1:7 late\nn 10.0.0.1:7 answer\nn 10.0.0.1 late\n")[0].late
    assert len(read("n 10.0.0.1:7 late\nn 10.0.0.1:7 answer\nn 10.0.0.1 late\n")) == 1


def test_an_entry_of_udp_is_read_like_one_of_tcp() -> None:
    (entry,) = parse(LINE)
    assert (entry.state, entry.translated, entry.reply.src) == ("", True, "10.244.2.18")


def test_where_connections_are_lost_anyhow_no_rolling_update_is_blamed() -> None:
    seen = results(Lies(repeats=10, dropped_by={"graceful": 1}), "K2-1 K2-2 K5-free K7")
    assert (seen["K2-1"].verdict, seen["K7"].verdict, seen["K7"].failure) == (F, I, Failure.RESTS_ON)


@pytest.mark.parametrize(
    ("silent", "failure", "why"),
    [
        (0, Failure.NOT_BALANCED, "a answered the client 6 times after 1.3 s of silence, no other Pod did"),
        (
            2,
            Failure.NO_ANSWER,
            "a answered the client 4 of 6 times after 1.3 s of silence, nobody the other times",
        ),
    ],
)
def test_a_client_that_got_no_answer_was_not_kept(silent: int, failure: Failure, why: str) -> None:
    check = Freed(Service(atlas.PITFALLS_NS, "brief", 80), 1)
    seen = Observation(None, None, facts=Keeping(("a",), ("a",), 6, "late", silent))  # type: ignore[arg-type]
    assert (check.judge(seen).failure, check.judge(seen).why) == (failure, why)
