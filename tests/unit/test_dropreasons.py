"""The kernel's drop reasons: what a real kernel told (samples/replay/kfree_skb.txt) and what is made of it.

In the sample 10.99.1.2 asks 10.99.2.2 through a router whose interfaces are va and vb: a rule drops the
request after routing, then before it; the reverse path does not fit; nobody listens; no route leads there.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.cli import _asking
from scripts.evidence import dropreasons
from scripts.evidence.dropreasons import Dropped, of_trace, program, read
from scripts.evidence.trace import Hop, Interface, Kind, Trace
from scripts.reporting.facts import dropped, facts_of
from scripts.runs import events
from scripts.runs.document import ReplayRecord
from scripts.suite.dropping import kernels, usable
from scripts.suite.run import run
from scripts.transport.executor import CompletedExec, Place, PodExecError
from tests.unit import atlas
from tests.unit.lies import Lies
from tests.unit.runs import wanted
from tests.unit.world import World

SAMPLE = Path(__file__).parent / "samples" / "replay" / "kfree_skb.txt"
THERE, BACK = "10.99.1.2", "10.99.2.2"
SILENT = Lies(silent={atlas.CLUSTER_IP})


@pytest.fixture(scope="module")
def told() -> tuple[Dropped, ...]:
    """The sample as the program joins it on the node."""
    done = subprocess.run(
        ["awk", program("kind")[-1], str(SAMPLE)], capture_output=True, text=True, check=True
    )
    return read(done.stdout)


def test_a_reason_has_the_packets_addresses_and_interface(told: tuple[Dropped, ...]) -> None:
    assert {(one.reason, one.function, one.device, one.source, one.destination) for one in told} == {
        ("NETFILTER_DROP", "nft_do_chain", "va", THERE, BACK),
        ("NETFILTER_DROP", "nft_do_chain", "va", "", ""),
        ("IP_RPFILTER", "ip_rcv_finish_core", "va", THERE, BACK),
        ("NO_SOCKET", "tcp_v4_rcv", "eth0", THERE, BACK),
        ("IP_INNOROUTES", "ip_error", "va", THERE, "10.99.3.2"),
        ("QUEUE_PURGE", "skb_queue_purge_reason", "", "", ""),
    }
    assert all(one.packets == 1 for one in told)


def seen(*ends: tuple[str, str], interface: str = "eth0", kind: Kind = "uplink") -> Trace:
    return Trace(
        tuple(
            Hop("n", Interface(interface, kind), "in", f"{src}:20000", f"{dst}:80", "request", 0)
            for src, dst in ends
        )
    )


def test_those_of_a_request_carried_its_addresses_either_way(told: tuple[Dropped, ...]) -> None:
    for trace in (seen((THERE, "10.96.0.1"), (THERE, BACK)), seen((BACK, THERE))):
        found = [one.reason for one in of_trace(told, trace)]
        assert sorted(found) == ["IP_RPFILTER", "NETFILTER_DROP", "NO_SOCKET"]
    assert not [*of_trace(told, seen((THERE, "10.99.9.9")))] and not [*of_trace(told, Trace())]


def test_one_without_addresses_is_its_last_interfaces(told: tuple[Dropped, ...]) -> None:
    (found,) = of_trace(told, seen((THERE, "10.99.9.9"), interface="va", kind="pod"))
    assert (found.reason, found.source) == ("NETFILTER_DROP", "")
    assert not [*of_trace(told, seen((THERE, "10.99.9.9"), interface="va"))], "not unique to a node"


@given(st.text(max_size=300))
def test_garbage_is_passed_over(text: str) -> None:
    assert all(one.packets >= 0 for one in read(text))


class Telling(World):
    """A world whose kernel tells drop reasons at some places."""

    def __init__(self, places: Sequence[str], said: str) -> None:
        super().__init__(SILENT)
        self.places, self.said = places, said
        self.watching: list[str] = []

    def __call__(
        self, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
    ) -> CompletedExec:
        words = " ".join(argv)
        if "unshare" in argv:
            if str(place) not in self.places:
                return CompletedExec(
                    tuple(argv), b"", b"unshare: unshare failed: Operation not permitted\n", 1, 0
                )
            self.watching.append(argv[4])
            return CompletedExec(tuple(argv), b"", b"", 0, 0.1)
        if argv[-1] in self.watching and "kill" in words:
            self.watching.remove(argv[-1])
            return CompletedExec(tuple(argv), self.said.encode(), b"", 0, 0.1)
        if "unshare" in words:
            raise PodExecError("asked in another form")
        return super().__call__(place, argv, stdin, timeout)


def test_of_nodes_of_our_own_one_for_each_kernel_is_asked() -> None:
    assert kernels(atlas.view()) == {"control": Place("control")}
    view = atlas.view()
    nodes = tuple(replace(node, boot=f"kernel {node.name == 'worker-a'}") for node in view.snapshot.nodes)
    apart = replace(view, snapshot=replace(view.snapshot, nodes=nodes))
    assert {*kernels(apart)} == {"control", "worker-a"}
    assert {*kernels(replace(apart, silent={"control": "paused"}))} == {"worker-a", "worker-b"}


def test_on_a_given_cluster_the_agents_are_asked() -> None:
    given_ = replace(atlas.view(), fenced=False)
    assert kernels(given_) == given_.agent_places()


def test_where_rights_are_missing_one_sentence_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    made = Telling((), "")
    assert _asking._watched(atlas.view(), made) == {}
    (said,) = capsys.readouterr().err.splitlines()
    assert (
        said
        == "the kernel's drop reasons are not told: control may not read tracefs (Operation not permitted)"
    )


def test_what_may_be_read_is_tried_and_left_as_it_was() -> None:
    made = Telling(("control",), "")
    places, refused = usable(atlas.view(), made)
    assert places == {"control": Place("control")} and not refused and not made.watching


def explained(made: Telling, drops: dict[str, Place]) -> tuple[events.CausesFound, list[events.Event]]:
    seen: list[events.Event] = []
    run(wanted("S6-1-80"), atlas.view(), made, made, [seen.append], drops=drops)
    (found,) = [event for event in seen if isinstance(event, events.CausesFound)]
    return found, seen


def test_nobody_is_asked_unless_it_is_wanted() -> None:
    made = Telling(("control",), "")
    found, _ = explained(made, {})
    assert not any(one.dropped for one in found.replays.values())


def test_reasons_stand_beside_the_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    ip = atlas.PODS["client-a"][2]
    made = Telling(("control",), f"3 NETFILTER_DROP nft_do_chain va {ip} {atlas.CLUSTER_IP}\n")
    monkeypatch.setattr("scripts.suite.causes.of_trace", lambda every, trace: every)
    found, seen = explained(made, {"control": Place("control")})
    replay = found.replays["S6-1-80"]
    (one,) = replay.dropped
    assert (one.reason, one.function, one.packets) == ("NETFILTER_DROP", "nft_do_chain", 3)
    assert dropped(replay) == "3 packets: NETFILTER_DROP in nft_do_chain"
    (judged,) = [event.probe for event in seen if isinstance(event, events.ProbeJudged)]
    receipt = judged.receipt.model_copy(update={"replay": replay})
    facts = facts_of(judged.model_copy(update={"receipt": receipt}))
    assert [fact.text for fact in facts if fact.label == "dropped"] == [dropped(replay)]
    assert not made.watching


def test_a_kernel_that_fails_in_between_costs_nothing_else() -> None:
    found, _ = explained(Telling((), ""), {"control": Place("control")})
    assert found.replays["S6-1-80"].dropped == []
    assert dropped(ReplayRecord(passes=False, last="")) == ""


def test_the_instance_is_of_the_stack() -> None:
    assert program("kind-ptp")[-2] == f"{dropreasons.INSTANCE}kind-ptp"
