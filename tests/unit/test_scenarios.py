"""Probes that change the cluster: what they notice, and that they leave it as it was, whatever ends them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import waiting
from scripts.checks import hang, membership, relabel
from scripts.checks.base import Scenario, runs_alone
from scripts.checks.verdict import Failure, Verdict
from scripts.errors import PodpathError
from scripts.suite.journal import Changes
from scripts.suite.run import run
from scripts.transport.executor import PodExecError
from tests.unit import atlas
from tests.unit.lies import Lies
from tests.unit.runs import EVERY, F, I, P, finding, found, pair_of, results
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
        (Lies(hang="answers"), "S7-ready", I, Failure.RESTS_ON),
        (Lies(sticky=True), "S7-ready", F, Failure.NOT_FOLLOWED),
        (Lies(deaf_api=True), "S7-ready", I, Failure.RESTS_ON),
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
    assert seen[probe].verdict is P, seen[probe]
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
    seen = found(results(ids=probe, made=made)[probe])
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
    assert made.signals == ["spare STOP", "spare CONT"]
    assert made.patched == PATCHES["S7-hangs"] and as_at_first(made)


class Killed(BaseException):
    """As kill -9: nothing of the run happens after it."""


def killed(probe: str, file: Path, made: World | None = None) -> World:
    """A cluster as a run leaves it that is killed while everything which the probe changes is changed."""
    made, dead = made or World(), False
    spare = "spare-ready" if probe == "S7-ready" else "spare"

    def happens(world: World, what: str) -> None:
        nonlocal dead
        changed = bool(world.patched) and (spare in world.stopped or not probe.startswith("S7"))
        if dead or (changed and "curl" in what):
            dead = True
            raise Killed

    made.happens = happens
    with pytest.raises(Killed):
        results(ids=probe, made=made, journal=Changes(file))
    made.happens = lambda world, what: None
    made.running.clear()
    assert not as_at_first(made)
    return made


@pytest.mark.parametrize(
    ("probe", "told"),
    [
        ("S3", "label app of Pod spare"),
        ("S7-hangs", "hanging nginx of Pod spare, label app of Pod spare"),
        ("S7-ready", "hanging nginx of Pod spare-ready, label app of Pod spare-ready"),
        ("I11", "selector of Service blog"),
    ],
)
def test_what_a_killed_run_left_is_undone_by_the_next_command(probe: str, told: str, tmp_path: Path) -> None:
    file, said = tmp_path / "journal", list[str]()
    made = killed(probe, file)
    Changes(file).replay(made, made, said.append)
    assert said == [f"a run was killed; restored what it had changed: {told}"]
    assert as_at_first(made) and not file.exists()
    assert results(ids=probe, made=made, journal=Changes(file))[probe].verdict is P
    assert as_at_first(made) and not file.exists()


def test_a_service_gets_the_selector_back_that_was_read(tmp_path: Path) -> None:
    made = World()
    made.apps["blog-1"] = made.selectors[atlas.INGRESS_NS, "blog"] = "weblog"
    killed("I11", tmp_path / "journal", made)
    assert made.selectors[atlas.INGRESS_NS, "blog"] == "podpath-nobody"
    Changes(tmp_path / "journal").replay(made, made, lambda line: None)
    assert made.selectors[atlas.INGRESS_NS, "blog"] == "weblog"


def test_each_change_is_written_down_before_it_is_made(tmp_path: Path) -> None:
    journal, seen = Changes(tmp_path / "journal"), list[tuple[str, list[str]]]()

    def happens(world: World, what: str) -> None:
        if what.startswith("PATCH ") or "SIG" in what:
            seen.append((what.rpartition("/")[2], [undo.what for undo in journal.pending()]))

    results(ids="S7-hangs", made=World(happens=happens), journal=journal)
    label, hangs = "label app of Pod spare", "hanging nginx of Pod spare"
    assert seen == [("spare", [label]), ("nginx SIGSTOP", [label, hangs]), ("nginx SIGCONT", [label, hangs]),
                    ("spare", [label])]  # fmt: skip
    assert journal.pending() == []


def test_what_cannot_be_restored_leaves_the_probe_open_and_is_kept(tmp_path: Path) -> None:
    journal = Changes(tmp_path / "journal")

    def happens(world: World, what: str) -> None:
        if what == f"PATCH {SPARE}" and len(world.patched) == 1:
            raise PodpathError("the API server is away.")

    seen = found(results(ids="S3", made=World(happens=happens), journal=journal)["S3"])
    assert (seen.verdict, seen.failure) == (I, Failure.TRANSPORT)
    assert seen.why.startswith("the label app of Pod spare could not be restored within 30 s: the API server")
    assert [undo.what for undo in journal.pending()] == ["label app of Pod spare"]


def test_hanging_is_stopped_and_continued_once_each() -> None:
    made = World()
    results(ids="S7-hangs S7-ready", made=made)
    told = [f"{pod} {signal}" for pod in ("spare", "spare-ready") for signal in ("STOP", "CONT")]
    assert made.signals == told


def test_readiness_needs_the_half_without_it() -> None:
    seen = results(Lies(hang="spreads"), "S7-ready")
    assert seen["S7-hangs"].verdict is F
    made = World(Lies(hang="answers"))
    seen = results(ids="S7-ready", made=made)
    assert seen["S7-ready"].failure is Failure.RESTS_ON
    assert str(seen["S7-ready"].why).startswith("not run: it rests on S7-hangs, which is failed: none of 120")
    assert {path for path, _ in made.patched} == {SPARE}, "nothing is changed for what cannot be told"


@pytest.mark.parametrize(
    ("lies", "verdict", "failure"),
    [
        (Lies(hang="answers"), I, Failure.CONTROL_FAILED),
        (Lies(deaf_api=True), F, Failure.NOT_FOLLOWED),
    ],
)
def test_readiness_that_is_played_all_the_same_is_no_proof(
    lies: Lies, verdict: Verdict, failure: Failure
) -> None:
    lab, probe = pair_of("S7-ready")
    made = World(lies)
    (seen,) = run([(lab, dataclasses.replace(probe, rests_on=(), controls=()))], atlas.view(), made, made)
    assert (seen.verdict, seen.failure) == (verdict, failure)


def test_delays_are_told_by_node_and_never_judged() -> None:
    facts = results(ids="S5")["S5"].receipt.api
    assert {*facts["rule_there_after_ms"]} == {*facts["rule_gone_after_ms"]} == {*atlas.NODES}
    assert all(ms >= 0 for ms in facts["rule_there_after_ms"].values())
    assert facts["last_wrong_answer_after_ms"] is None and facts["requests"] > 0
    late = results(Lies(sticky=True), "S5")["S5"]
    assert late.verdict is P and late.receipt.api["last_wrong_answer_after_ms"] > 0


def test_a_share_is_measured_against_who_is_behind() -> None:
    facts = results(ids="S7-hangs")["S7-hangs"].receipt.api
    assert (facts["asked"], facts["failed"], facts["hangs"]) == (120, 30, True)
    assert facts["share"] == pytest.approx(0.25)
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
    for module in (membership, relabel, hang):
        monkeypatch.setattr(module, "eventually", waiting.eventually)
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
    assert (seen.verdict, seen.failure) == (F, Failure.NOT_FOLLOWED)


def test_what_rests_on_a_red_probe_is_not_played_and_says_so() -> None:
    made = World(Lies(silent={atlas.CLUSTER_IP}))
    seen = results(ids="S1 S3 S6-1-80 S4 S9-force I11", made=made)
    assert seen["S6-1-80"].verdict is F and seen["I11"].verdict is P
    for id in ("S1", "S3"):
        assert (seen[id].verdict, seen[id].failure) == (I, Failure.RESTS_ON)
        assert found(seen[id]).why.startswith("not run: it rests on S6-1-80, which is failed: ")
    assert made.deleted == [] and not any(path == SPARE for path, _ in made.patched)


def test_what_rests_on_a_probe_that_was_skipped_or_not_asked_is_played() -> None:
    assert results(ids="S1")["S1"].verdict is P
    shot = atlas.snapshot()
    pods = tuple(pod for pod in shot.pods if pod.namespace != "kube-system")
    bare = dataclasses.replace(atlas.view(), snapshot=dataclasses.replace(shot, pods=pods))
    seen = results(ids="S1 S6-1-80 S4 S9-force", view=bare)
    assert (seen["S9-force"].verdict, seen["S1"].verdict) == (Verdict.SKIPPED, P)


def test_scenarios_are_told_from_what_is_simply_asked() -> None:
    alone = {probe.id for _, probe in EVERY if runs_alone(probe.check)}
    assert alone == {*CHANGING, "K4-replaced", "K5-gone", "K7", "K8-follows"}
    played = {probe.id for _, probe in EVERY if isinstance(probe.check, Scenario)}
    many = {"S2-1", "S2-2", "K2-1", "K2-2", "K5-free", "K5-kept", "K6-near-1", "K6-near-2"}
    many |= {f"K4-direct-{n}-{where}" for n in (1, 2) for where in ("same", "other")}
    many |= {"K4-service-1", "K4-service-2", "K4-nodeport", "K4-nobody", "K5-timeout"}
    assert played - alone == many
