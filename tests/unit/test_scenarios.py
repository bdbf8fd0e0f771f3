"""Probes that change the cluster: what they notice, and that they leave it as it was, whatever ends them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from labs import model
from scripts.errors import PodpathError
from scripts.probing.executor import PodExecError
from scripts.probing.scenarios import hang, is_scenario, labels, play, runs_alone
from scripts.probing.verdict import Failure, Verdict
from scripts.waiting import Timeouts
from tests.unit import atlas
from tests.unit.lies import Lies
from tests.unit.runs import EVERY, F, I, P, finding, results
from tests.unit.ways import Key
from tests.unit.world import World

pytestmark = pytest.mark.usefixtures("impatient")
CHANGING = ("S1", "S3", "S5", "S7-hangs", "S7-ready", "I11")
SPARE = f"/api/v1/namespaces/{atlas.SERVICE_NS}/pods/spare"
BLOG = f"/api/v1/namespaces/{atlas.INGRESS_NS}/services/blog"
JOINS = {"metadata": {"labels": {"app": "frontend"}}}
PATCHES = {
    "S3": [(SPARE, JOINS), (SPARE, {"metadata": {"labels": {"app": "spare"}}})],
    "S5": [(SPARE, JOINS), (SPARE, {"metadata": {"labels": {"app": "spare"}}})],
    "S7-hangs": [(SPARE, JOINS), (SPARE, {"metadata": {"labels": {"app": "spare"}}})],
    "S7-ready": [
        (f"{SPARE}-ready", JOINS),
        (f"{SPARE}-ready", {"metadata": {"labels": {"app": "spare-ready"}}}),
    ],
    "I11": [
        (BLOG, {"spec": {"selector": {"app": "podpath-nobody"}}}),
        (BLOG, {"spec": {"selector": {"app": "blog"}}}),
    ],
}
EACH = pytest.mark.parametrize("probe", PATCHES)


def as_at_first(made: World) -> bool:
    """Whether labels, selectors, signals and background programs are as before."""
    fresh = World()
    same = (made.apps, made.selectors) == (fresh.apps, fresh.selectors)
    return same and not made.stopped and not made.running


@pytest.mark.parametrize(
    ("lies", "probe", "verdict", "failure"),
    [
        (Lies(clusterip_after="10.96.0.81"), "S1", F, Failure.WRONG_ADDRESS),
        (Lies(never_replaced=True), "S1", F, Failure.NOT_REPLACED),
        (Lies(deaf_api=True), "S1", F, Failure.NOT_REPLACED),
        (Lies(only="frontend-2"), "S1", F, Failure.NOT_REPLACED),
        (Lies(deaf_api=True), "S3", F, Failure.NOT_FOLLOWED),
        (Lies(sticky=True), "S3", F, Failure.NOT_FOLLOWED),
        (Lies(early=True), "S3", F, Failure.NOT_FOLLOWED),
        (Lies(only="frontend-1"), "S3", F, Failure.NOT_FOLLOWED),
        (Lies(deaf={"worker-b"}), "S5", F, Failure.NOT_FOLLOWED),
        (Lies(deaf={"control"}), "S5", F, Failure.NOT_FOLLOWED),
        (Lies(only="frontend-1"), "S5", F, Failure.NOT_FOLLOWED),
        (Lies(agents_down=True), "S5", I, Failure.NO_EVIDENCE),
        (Lies(mute={"iptables"}), "S5", I, Failure.NO_EVIDENCE),
        (Lies(hang="answers"), "S7-hangs", F, Failure.WRONG_SHARE),
        (Lies(hang="spreads"), "S7-hangs", F, Failure.WRONG_SHARE),
        (Lies(hang="refuses"), "S7-hangs", F, Failure.NO_ANSWER),
        (Lies(deaf_api=True), "S7-hangs", F, Failure.NOT_FOLLOWED),
        (Lies(hang="answers"), "S7-ready", I, Failure.CONTROL_FAILED),
        (Lies(sticky=True), "S7-ready", F, Failure.NOT_FOLLOWED),
        (Lies(deaf_api=True), "S7-ready", F, Failure.NOT_FOLLOWED),
        (Lies(lost={"client"}), "S7-hangs", I, Failure.TRANSPORT),
        (Lies(without=404), "I11", F, Failure.WRONG_STATUS),
        (Lies(without=200), "I11", F, Failure.NOT_FOLLOWED),
        (Lies(broken_after=True), "I11", F, Failure.NOT_FOLLOWED),
        (Lies(silent={atlas.INGRESS_IP}), "I11", F, Failure.NOT_FOLLOWED),
        (Lies(lost={"podpath-outside"}), "I11", I, Failure.TRANSPORT),
    ],
)
def test_each_lie_is_noticed(lies: Lies, probe: str, verdict: Verdict, failure: Failure | None) -> None:
    seen = finding(lies, probe)
    assert (seen.verdict, seen.failure) == (verdict, failure), seen
    assert seen.why


@EACH
def test_what_was_changed_is_restored(probe: str) -> None:
    made = World()
    seen = results(ids=probe, made=made)
    assert seen[probe].verdict is P, seen[probe].finding
    mine = [patch for patch in made.patched if patch[0] == PATCHES[probe][0][0]]
    assert mine == PATCHES[probe] and as_at_first(made)


def after(patches: int, what: str, error: BaseException) -> Callable[[World, str], None]:
    """Raises once so much was patched and ``what`` is about to happen; once only."""
    left = [error]

    def happens(world: World, now: str) -> None:
        if len(world.patched) == patches and now.endswith(what) and left:
            raise left.pop()

    return happens


MIDDLE = [("S3", "curl"), ("S3", "endpointslices"), ("S5", "peek"), ("S7-hangs", "curl"),
          ("S7-hangs", "endpointslices"), ("I11", "curl"), ("I11", "endpointslices"),
          ("S3", "PATCHED spare"), ("I11", "PATCHED blog")]  # fmt: skip
"""Where it ends: the last two when the API server has done it, but its answer does not come."""


@pytest.mark.parametrize(("probe", "what"), MIDDLE)
def test_an_interrupt_in_the_middle_restores_and_is_passed_on(probe: str, what: str) -> None:
    made = World(happens=after(1, what, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        results(ids=probe, made=made)
    assert made.patched == PATCHES[probe] and as_at_first(made)


@pytest.mark.parametrize(("probe", "what"), MIDDLE)
@pytest.mark.parametrize("error", [PodExecError("EOF"), PodpathError("the API server is away")])
def test_a_failure_in_the_middle_restores_and_leaves_the_probe_open(
    probe: str, what: str, error: Exception
) -> None:
    made = World(happens=after(1, what, error))
    seen = results(ids=probe, made=made)[probe].finding
    assert made.patched == PATCHES[probe] and as_at_first(made)
    assert (seen.verdict, seen.failure) == (I, Failure.TRANSPORT), seen
    assert str(error) in seen.why


@pytest.mark.parametrize("what", ["curl", "SIGSTOP"])
def test_an_interrupt_while_a_pod_hangs_lets_it_go_on(what: str) -> None:
    def happens(world: World, now: str) -> None:
        if world.stopped and now.endswith(what):
            raise KeyboardInterrupt

    made = World(happens=happens)
    with pytest.raises(KeyboardInterrupt):
        results(ids="S7-hangs", made=made)
    assert made.signals == ["spare CONT", "spare STOP", "spare CONT"]
    assert made.patched == PATCHES["S7-hangs"] and as_at_first(made)


def left_by_an_interrupt(id: str) -> World:
    """A cluster as a run that was killed leaves it."""
    made = World()
    if id == "I11":
        made.selectors[atlas.INGRESS_NS, "blog"] = "podpath-nobody"
    else:
        made.apps["spare"], made.stopped = "frontend", {"spare"} if id == "S7-hangs" else set()
    return made


@pytest.mark.parametrize("probe", ["S3", "S7-hangs"])
def test_what_a_killed_run_left_is_undone_first(probe: str) -> None:
    shot = atlas.snapshot()
    pods = tuple(
        dataclasses.replace(pod, labels={"app": "frontend"}) if pod.name == "spare" else pod
        for pod in shot.pods
    )
    seen_so = dataclasses.replace(atlas.view(), snapshot=dataclasses.replace(shot, pods=pods))
    made = left_by_an_interrupt(probe)
    assert results(ids=probe, view=seen_so, made=made)[probe].verdict is P
    assert made.patched == [PATCHES[probe][1], *PATCHES[probe]] and as_at_first(made)


def test_a_service_left_deserted_is_repaired_by_the_next_run() -> None:
    made = left_by_an_interrupt("I11")
    assert results(ids="I11", made=made)["I11"].verdict is P
    assert as_at_first(made)


def test_hanging_is_stopped_and_continued_once_each() -> None:
    made = World()
    results(ids="S7-hangs S7-ready", made=made)
    told = [f"{pod} {signal}" for pod in ("spare", "spare-ready") for signal in ("CONT", "STOP", "CONT")]
    assert made.signals == told


def test_readiness_needs_the_half_without_it() -> None:
    seen = results(Lies(hang="spreads"), "S7-ready")
    assert seen["S7-hangs"].verdict is F
    seen = results(Lies(hang="answers"), "S7-ready")
    assert seen["S7-ready"].finding.failure is Failure.CONTROL_FAILED


def test_delays_are_told_by_node_and_never_judged() -> None:
    facts = results(ids="S5")["S5"].receipt.api
    assert {*facts["rule there after ms"]} == {*facts["rule gone after ms"]} == {*atlas.NODES}
    assert all(ms >= 0 for ms in facts["rule there after ms"].values())
    assert facts["last wrong answer after ms"] is None and facts["requests"] > 0
    late = results(Lies(sticky=True), "S5")["S5"]
    assert late.verdict is P and late.receipt.api["last wrong answer after ms"] > 0


def test_a_share_is_measured_against_who_is_behind() -> None:
    facts = results(ids="S7-hangs")["S7-hangs"].receipt.api
    assert (facts["asked"], facts["failed"], facts["share"], facts["hangs"]) == (120, 30, 0.25, True)
    ready = results(ids="S7-ready")["S7-ready"].receipt.api
    assert (ready["asked"], ready["failed"], ready["hangs"]) == (120, 0, True)


class Lagging(World):
    """A world whose client's node still sends one connection in thirty to a Pod that has left."""

    def __init__(self, pod: str) -> None:
        super().__init__()
        self.pod, self.left = pod, 120

    def _pick(self, start: str, key: Key) -> str:
        left = self.pod in self.stopped or (self.pod in self._once and self.apps[self.pod] == self.pod)
        if left and key == (atlas.SERVICE_NS, "frontend"):
            self.left -= 1
            if self.left > 0 and self.left % 30 == 0:
                return self.pod
        return super()._pick(start, key)


@pytest.mark.parametrize(("probe", "pod"), [("S3", "spare"), ("S7-ready", "spare-ready")])
def test_a_pod_that_is_met_seldom_has_not_left_yet(
    probe: str, pod: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty requests may all miss it while the rules still have it: that is no end to wait for."""
    for module in (labels, hang):
        monkeypatch.setattr(module, "TIMEOUTS", Timeouts())
    made = Lagging(pod)
    assert results(ids=probe, made=made)[probe].verdict is P
    assert made.left < 0


@pytest.mark.parametrize("probe", ["S3", "S7-ready"])
def test_no_answers_at_all_are_no_sign_that_a_pod_has_left(probe: str) -> None:
    """curl's report may be lost whole: nobody was met then, but nobody was asked either."""

    def happens(world: World, what: str) -> None:
        if probe == "S3" and len(world.patched) == 2:
            world.lies.dropped = probe
        if probe == "S7-ready" and "spare-ready" in world.stopped and "endpointslices" in what:
            world.lies.dropped = probe

    seen = results(ids=probe, made=World(happens=happens))[probe]
    assert (seen.verdict, seen.finding.failure) == (F, Failure.NOT_FOLLOWED)


def test_scenarios_are_told_from_what_is_simply_asked() -> None:
    alone = {probe.id for _, probe in EVERY if runs_alone(probe.ask)}
    assert alone == {*CHANGING}
    played = {probe.id for _, probe in EVERY if is_scenario(probe.ask)}
    assert played - alone == {"S2-1", "S2-2"}
    with pytest.raises(TypeError, match="no scenario is known for a Get"):
        play(model.Get(model.Localhost(80)), None)  # type: ignore[arg-type]
