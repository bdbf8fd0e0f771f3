"""What the runner does around the checks: order, transport, controls, Pods that change under its hands."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from scripts.checks.base import Check
from scripts.checks.interface import Interface
from scripts.checks.proxymode import ProxyMode
from scripts.checks.request import Get
from scripts.checks.sample import Sample
from scripts.checks.table import Table
from scripts.checks.translation import Masqueraded, NotTranslated, Translated
from scripts.checks.verdict import Failure, Verdict
from scripts.errors import PodpathError
from scripts.runs import events
from scripts.runs.document import ProbeRecord
from scripts.suite.judge import controlled
from scripts.suite.run import run
from scripts.transport.executor import CompletedExec, Place
from tests.unit import atlas
from tests.unit.execs import untimed
from tests.unit.lies import Lies
from tests.unit.runs import EVERY, F, I, P, S, finding, found, pair_of, results, wanted
from tests.unit.world import World

IN_TURN = ["S1", "S3", "S5", "S7-hangs", "S7-ready"]
"""Scenarios of one lab that change what the others look at."""
ALONE = [*IN_TURN, "I11", "K4-replaced", "K5-gone", "K7"]


def told(made: World, ids: str = "") -> list[events.Event]:
    seen: list[events.Event] = []
    run(wanted(ids), atlas.view(), made, made, [seen.append], "r1")
    return seen


def test_scenarios_run_last_and_those_of_a_lab_in_their_order() -> None:
    seen = told(World())
    kinds = [type(event).__name__ for event in seen]
    begun = [event.probe for event in seen if isinstance(event, events.ScenarioStarted)]
    assert [id for id in begun if id in IN_TURN] == IN_TURN and {*begun} == {*ALONE}
    first = kinds.index("ScenarioStarted")
    judged = [event.probe.id for event in seen[:first] if isinstance(event, events.ProbeJudged)]
    assert judged == [probe.id for _, probe in EVERY if probe.id not in ALONE]
    assert "BatchStarted" not in kinds[first:]
    assert (kinds[0], kinds[-1]) == ("RunStarted", "RunFinished")


class Meeting(World):
    """A world in which what S1 changes and what I11 changes first happen at once, or raise."""

    def __init__(self) -> None:
        super().__init__()
        self.both = threading.Barrier(2, timeout=20)
        self.interrupts = False

    def delete(self, path: str, **query: str) -> dict[str, Any]:
        self.both.wait()
        if self.interrupts:
            raise KeyboardInterrupt
        return super().delete(path, **query)

    def patch(self, path: str, change: Mapping[str, Any]) -> dict[str, Any]:
        if path.endswith("/services/blog") and not self.patched:
            done = super().patch(path, change)
            self.both.wait()
            return done
        return super().patch(path, change)


def test_scenarios_of_two_labs_are_played_at_once() -> None:
    seen = results(ids="S1 I11", made=Meeting())
    assert (seen["S1"].verdict, seen["I11"].verdict) == (P, P)


def test_an_interrupt_lets_the_other_labs_scenario_restore_what_it_changed() -> None:
    made = Meeting()
    made.interrupts = True
    with pytest.raises(KeyboardInterrupt):
        results(ids="S1 I11", made=made)
    assert made.selectors == World().selectors and len(made.patched) == 2


def test_each_probe_is_judged_once_and_reported_in_its_order() -> None:
    seen = told(World())
    judged = [event.probe.id for event in seen if isinstance(event, events.ProbeJudged)]
    assert sorted(judged) == sorted(probe.id for _, probe in EVERY)
    assert [*results()] == [probe.id for _, probe in EVERY]


def test_observers_hear_everything_on_the_callers_thread() -> None:
    heard = set()
    made = World()
    run(
        wanted("S2-1 P4-frontend-rest S1"),
        atlas.view(),
        made,
        made,
        [lambda _: heard.add(threading.get_ident())],
    )
    assert heard == {threading.get_ident()}


def test_a_source_needs_one_exec_for_all_its_requests() -> None:
    made = World()
    run(wanted("C2-app C2-proxy S6-1-80 S6-1-8080 S6-2-80 F1-1 S8-use"), atlas.view(), made, made)
    curls = [line for line in made.execs if line.endswith(" curl")]
    assert sorted(curls) == [
        "client-a/client curl", "client-b/client curl", "frontend/nginx curl", "frontend/webapp curl",
    ]  # fmt: skip


def test_very_many_requests_are_sent_by_one_exec_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.suite.ask.MOST", 2)
    made = World()
    seen = run(wanted("S6-1-80 S6-1-8080 S8-use"), atlas.view(), made, made)
    assert [line for line in made.execs if line.endswith(" curl")] == ["client-a/client curl"] * 2
    assert {probe.id: probe.verdict for probe in seen} == {"S6-1-80": P, "S6-1-8080": P, "S8-use": P}


def test_captures_stand_only_around_what_is_traced() -> None:
    made = World()
    order: list[str] = []
    made.happens = lambda world, what: order.append(what)
    run(wanted("E1-trace E1-node S6-1-80"), atlas.view(), made, made)
    starts = [n for n, what in enumerate(order) if what.endswith(" tcpdump")]
    stops = [n for n, what in enumerate(order) if what.endswith(" stop")]
    curls = [n for n, what in enumerate(order) if what.endswith(" curl")]
    assert len(starts) == len(stops) == 4, "three nodes and the gateway"
    assert max(starts) < curls[0] < min(stops) and max(stops) < curls[1]
    assert not made.running
    none = World()
    run(wanted("E1-node"), atlas.view(), none, none)
    assert not any(line.endswith(" sh") and "gateway" in line for line in none.execs)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("a bug")])
def test_an_interrupt_while_packets_are_captured_stops_the_captures(error: BaseException) -> None:
    def happens(world: World, what: str) -> None:
        if what == "traveller-1/nginx curl":
            raise error

    made = World(happens=happens)
    with pytest.raises(type(error)):
        run(wanted("E1-trace"), atlas.view(), made, made)
    assert not made.running


# --- the transport ------------------------------------------------------------------------------


class Curled(World):
    """A world in which curl itself, or the exec around it, ends otherwise."""

    def __init__(self, code: int | None) -> None:
        super().__init__()
        self.code = code

    def __call__(
        self, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
    ) -> CompletedExec:
        done = super().__call__(place, argv, stdin, timeout)
        return dataclasses.replace(done, returncode=self.code) if untimed(argv)[0] == "curl" else done


def test_an_exec_without_an_exit_code_is_no_success() -> None:
    seen = results(ids="S6-1-80", made=Curled(None))["S6-1-80"]
    assert (seen.verdict, seen.failure) == (I, Failure.TRANSPORT)
    assert seen.why == "the exec in client-a/client ended without an exit code"
    assert seen.receipt.gaps["client"] == seen.why


class Endless(World):
    """A world in which nobody ever says how a program of certain containers ended, whatever it printed."""

    def __init__(self, *containers: str) -> None:
        super().__init__()
        self.containers = containers

    def __call__(
        self, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
    ) -> CompletedExec:
        done = super().__call__(place, argv, stdin, timeout)
        return dataclasses.replace(done, returncode=None) if place.container in self.containers else done


@pytest.mark.parametrize("id", ["S2-1", "K5-free", "K5-kept", "K6-near-1", "K2-1", "S1", "S3", "S7-hangs"])
def test_what_a_scenarios_exec_printed_without_an_exit_code_is_not_believed(id: str) -> None:
    (lab, probe) = pair_of(id)
    made, alone = Endless("client", "nginx"), dataclasses.replace(probe, controls=(), rests_on=())
    (seen,) = run([(lab, alone)], atlas.view(), made, made)
    assert (seen.verdict, seen.failure) == (I, Failure.TRANSPORT), seen.why
    assert "ended without an exit code" in str(seen.why)


@pytest.mark.parametrize("id", ["S4", "P2-client-1", "E1-node", "S9-force"])
def test_a_node_whose_exec_has_no_exit_code_was_not_seen(id: str) -> None:
    seen = results(ids=id, made=Endless("node-agent"))[id]
    assert (seen.verdict, seen.failure) == (I, Failure.NO_EVIDENCE), seen.why


def test_a_curl_that_fails_while_all_transfers_succeed_contradicts_itself() -> None:
    seen = found(results(ids="S6-1-80", made=Curled(2))["S6-1-80"])
    assert (seen.verdict, seen.failure) == (I, Failure.LOST_EXIT_CODE)
    assert "although every transfer claims success" in seen.why


def test_a_curl_that_contradicts_itself_is_not_believed_in_a_burst_either() -> None:
    seen = found(results(ids="S2-1", made=Curled(2))["S2-1"])
    assert (seen.verdict, seen.failure) == (I, Failure.TRANSPORT)
    assert seen.why == "curl in client-a/client ended with 2 although every transfer claims success"


def test_a_lost_exec_leaves_only_its_own_probes_open() -> None:
    seen = results(Lies(lost={"webapp"}), "C2-app C2-proxy C1 P1-client-1-frontend")
    assert {id: result.verdict for id, result in seen.items()} == {
        "C2-app": P, "C2-proxy": I, "C1": I, "P1-client-1-frontend": P,
    }  # fmt: skip


# --- evidence -------------------------------------------------------------------------------------


def needs_a_kernel(check: Check) -> bool:
    """Whether only the nodes' kernels can tell what the check wants to know."""
    if isinstance(check, ProxyMode):
        return bool(check.in_force)
    expected = check.expect if isinstance(check, Get) else ()
    wanted = Translated | NotTranslated | Masqueraded
    return isinstance(check, Table | Interface | Sample) or any(isinstance(one, wanted) for one in expected)


def test_evidence_that_fails_never_decides() -> None:
    """Without any agent, what needs no kernel stays green, and nothing at all turns red."""
    seen = results(Lies(agents_down=True), " ".join(p.id for _, p in EVERY if p.id not in ALONE))
    assert {id: r for id, r in seen.items() if r.verdict is F} == {}
    assert {"C2-app", "C3", "I7-shop", "I9-host", "S8-service"} <= {
        id for id, r in seen.items() if r.verdict is P
    }
    asking = {probe.id for _, probe in EVERY if needs_a_kernel(probe.check)}
    assert all(seen[id].verdict is I for id in asking & {*seen})
    assert all(r.why for r in seen.values() if r.verdict is I)


@pytest.mark.parametrize("blind", [{"control"}, {"worker-a"}, {"worker-b"}])
def test_one_node_that_cannot_be_asked_turns_nothing_red(blind: set[str]) -> None:
    seen = results(Lies(blind=blind), " ".join(p.id for _, p in EVERY if p.id not in ALONE))
    assert {id: r for id, r in seen.items() if r.verdict is F} == {}


# --- Pods that change -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gone", "probe"),
    [
        ("traveller-1", "E1-node"),
        ("traveller-1", "E1-trace"),
        ("traveller-1", "E5-outside"),
        ("rest-1", "P1-client-1-rest"),
        ("client-a", "S2-1"),
        ("client-a", "P6"),
        ("client-a", "P2-client-1"),
    ],
)
def test_a_pod_that_is_replaced_in_the_middle_leaves_the_probe_open(gone: str, probe: str) -> None:
    seen = finding(Lies(gone={gone}), probe)
    assert (seen.verdict, seen.failure) == (I, Failure.POD_REPLACED)
    assert seen.why == f"the Pod {gone} was replaced during the probe"


def test_a_pod_that_is_replaced_behind_a_service_leaves_the_probe_open() -> None:
    """Its successor answers, whom the run's snapshot does not know: that is no wrong responder."""
    seen = finding(Lies(gone={"frontend-1"}, only="frontend-4"), "S8-use")
    assert (seen.verdict, seen.failure) == (I, Failure.POD_REPLACED)


def test_a_replaced_pod_touches_no_other_probe() -> None:
    seen = results(Lies(gone={"rest-1"}), "P1-client-1-rest P1-client-1-frontend P1-rest-frontend")
    assert [result.verdict for result in seen.values()] == [P, I, I]


def test_an_api_that_cannot_tell_replaces_nobody() -> None:
    def happens(world: World, what: str) -> None:
        if what == "GET /api/v1/pods":
            raise PodpathError("the API server is away")

    assert results(ids="E1-node", made=World(happens=happens))["E1-node"].verdict is P


# --- controls ---------------------------------------------------------------------------------------


def test_a_control_that_did_not_run_is_no_control() -> None:
    made = World()
    pairs = [pair for pair in EVERY if pair[1].id == "F1-1"]
    (result,) = run(pairs, atlas.view(), made, made)
    assert (result.verdict, result.failure) == (I, Failure.CONTROL_FAILED)
    assert result.why == "its control S6-1-80 is not in this run, so silence proves nothing"


def test_a_control_that_is_open_leaves_the_negative_probe_open() -> None:
    seen = results(Lies(untracked=True, lost=set()), "F1-1")
    assert seen["S6-1-80"].verdict is F and seen["F1-1"].failure is Failure.CONTROL_FAILED


def test_a_negative_probe_that_failed_stays_red_whatever_its_control_says() -> None:
    lies = Lies(open={(atlas.CLUSTER_IP, 81)}, untracked=True)
    assert finding(lies, "F1-1").failure is Failure.UNEXPECTED_ANSWER


def test_what_cannot_be_asked_is_settled_with_what_it_would_refute() -> None:
    bare = dataclasses.replace(atlas.view(), outside=None)
    made = World()
    seen = {probe.id: probe for probe in run(wanted("E5-node E5-outside"), bare, made, made)}
    assert seen["E5-outside"].why == "this stack has no world outside the cluster"
    assert seen["E5-node"].verdict is P and seen["E5-node"].refutes


def test_rules_of_which_some_are_missing_are_no_probabilities() -> None:
    class Torn(World):
        def _rules(self, node: str) -> str:
            lines = super()._rules(node).splitlines()
            ends = [line for line in lines if " -A KUBE-SVC-PODPATH-POD-TO-SERVICE-FRONTEND-80 " in line]
            return "\n".join(line for line in lines if line != ends[-1]) + "\n"

    seen = results(ids="S2-1", made=Torn())["S2-1"]
    assert (seen.verdict, seen.failure) == (I, Failure.NO_EVIDENCE)
    assert str(seen.why).endswith(" give away 66.7%: some are missing")


@pytest.mark.parametrize(
    ("states", "verdict"),
    [
        ((P, P), P),
        ((P, S), S),
        ((S, F), I),
        ((F, S), I),
        ((P, None), I),
    ],
)
def test_what_this_cluster_has_no_control_for_is_skipped_and_not_open(
    states: tuple[Verdict, Verdict | None], verdict: Verdict
) -> None:
    """In a large cluster a control may have no Pod where it starts."""

    def record(id: str, of: Verdict) -> ProbeRecord:
        return ProbeRecord(id=id, claim="C4", lab="x", sentence="s", verdict=of, why="no Pod runs there")

    probe = dataclasses.replace(pair_of("C4-pod-80")[1], controls=("a", "b"))
    known = {id: record(id, of) for id, of in zip("ab", states, strict=True) if of}
    found = controlled(record(probe.id, P), probe, known)
    assert found.verdict is verdict
    if verdict is S:
        assert found.why == "without its control b silence would prove nothing: no Pod runs there"
        assert found.failure is None
