"""A run begins on a cluster at rest, and notices what moves while it asks."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import pytest

from labs import LABS
from scripts.checks.verdict import Failure
from scripts.evidence.snapshot import Snapshot, endpoints_of
from scripts.evidence.view import View
from scripts.suite import settle
from scripts.suite.settle import KNOCKS, settled
from scripts.transport.executor import CompletedExec, Place
from scripts.waiting import Timeouts, eventually
from tests.unit import atlas
from tests.unit.atlas import SERVICE_NS
from tests.unit.lies import Lies
from tests.unit.runs import F, I, P, results
from tests.unit.world import World

TWO = ("frontend-1", "frontend-2")
BEHIND = "10.244.1.3:80, 10.244.2.3:80"
LAGGING = f"kube-proxy on worker-a sends frontend:80 to {BEHIND}, the endpoints are {BEHIND}, 10.244.2.4:80"


def unready(name: str, leaving: bool = False) -> Snapshot:
    """The cluster at first, but for one Pod."""
    shot = atlas.snapshot()
    pods = [
        dataclasses.replace(pod, ready=False, leaving=leaving) if pod.name == name else pod
        for pod in shot.pods
    ]
    return dataclasses.replace(shot, pods=tuple(pods))


def waited(
    made: World,
    shot: Snapshot | None = None,
    labs: tuple[str, ...] = tuple(LABS),
    look: Callable[[], Snapshot] = atlas.snapshot,
    quiet: float = 0,
) -> tuple[View, list[str]]:
    said: list[str] = []
    begun = dataclasses.replace(atlas.view(), snapshot=shot or atlas.snapshot())
    return settled(begun, look, made, labs, said.append, quiet), said


def test_a_cluster_at_rest_is_looked_at_once() -> None:
    made = World()
    view, said = waited(made)
    assert (said, view) == ([], atlas.view())
    assert len(made.execs) == len(atlas.NODES) + 1


def test_rules_that_lag_behind_are_waited_for_and_told_once() -> None:
    made, looks = World(Lies(table={"worker-a": TWO})), itertools.count(1)

    def look() -> Snapshot:
        if next(looks) == 2:
            made.lies.table.clear()
        return atlas.snapshot()

    _, said = waited(made, look=look, quiet=20)
    assert said == [f"waiting for the labs to settle: {LAGGING}"]


class Flushed(World):
    """One node has no rules of kube-proxy any more."""

    def _rules(self, node: str) -> str:
        return "*nat\nCOMMIT\n" if node == "worker-a" else super()._rules(node)


def test_a_node_whose_rules_were_flushed_is_told() -> None:
    assert waited(Flushed())[1] == [
        "waiting for the labs to settle: kube-proxy on worker-a has no rules at all",
        "nothing is changing any more, so the labs are judged as they are: "
        "kube-proxy on worker-a has no rules at all",
    ]


def test_a_cluster_that_needs_no_kube_proxy_is_not_waited_for() -> None:
    class Elsewhere(World):
        def _rules(self, node: str) -> str:
            return "*nat\nCOMMIT\n"

    assert waited(Elsewhere())[1] == []


def test_an_endpoint_that_is_not_ready_belongs_into_no_rules() -> None:
    made = World()
    made.apps["spare-ready"] = "frontend"
    made.stopped.add("spare-ready")
    slices = made.get("/apis/discovery.k8s.io/v1/endpointslices")["items"]
    shot = dataclasses.replace(atlas.snapshot(), endpoints=endpoints_of(slices))
    assert {endpoint.ready for endpoint in shot.endpoints[SERVICE_NS, "frontend"]} == {True, False}
    assert waited(made, shot)[1] == []


def test_a_pod_that_is_not_ready_is_waited_for_and_the_view_is_the_later_one() -> None:
    view, said = waited(World(), unready("rest-1"), quiet=20)
    assert said == ["waiting for the labs to settle: Pod rest-1 is not ready"]
    assert all(pod.ready for pod in view.snapshot.pods)


@pytest.mark.parametrize(
    ("label", "why"),
    [
        ("spare", "10.244.2.4 is among the endpoints of frontend, which does not select it"),
        ("frontend", "Pod frontend-3 is not among the endpoints of frontend yet"),
    ],
)
def test_endpoints_that_do_not_follow_a_label_yet_are_waited_for(label: str, why: str) -> None:
    """As right after a killed run was undone: the rules are those of the endpoints, and both are late."""
    shot = atlas.snapshot()
    behind = shot.endpoints[SERVICE_NS, "frontend"]
    if label == "frontend":
        fewer = tuple(one for one in behind if one.pod != "frontend-3")
        shot = dataclasses.replace(shot, endpoints={**shot.endpoints, (SERVICE_NS, "frontend"): fewer})
    pods = [
        dataclasses.replace(pod, labels={"app": label}) if pod.name == "frontend-3" else pod
        for pod in shot.pods
    ]
    view, said = waited(World(), dataclasses.replace(shot, pods=tuple(pods)), quiet=20)
    assert said == [f"waiting for the labs to settle: {why}"] and view == atlas.view()


def test_what_is_wrong_and_does_not_change_any_more_is_judged_as_it_is() -> None:
    _, said = waited(World(Lies(table={"worker-a": TWO})))
    assert said == [
        f"waiting for the labs to settle: {LAGGING}",
        f"nothing is changing any more, so the labs are judged as they are: {LAGGING}",
    ]


@pytest.mark.parametrize("changes", [0, 3])
def test_rest_begins_anew_with_each_change(changes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two Pods that become unready in turn: right is none of it, but at rest neither."""
    clock = itertools.count()
    monkeypatch.setattr(settle, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    monkeypatch.setattr(
        settle, "eventually", lambda at_rest, _, what, every: eventually(at_rest, 20, what, 0)
    )
    looks = 0

    def look() -> Snapshot:
        nonlocal looks
        looks += 1
        return unready("rest-1" if looks % 2 and looks <= changes else "front-1")

    _, said = waited(World(), unready("front-1"), look=look, quiet=4)
    assert len(said) == 2 + (changes and changes + 1) and said[-1].startswith("nothing is changing any more")
    assert looks == 3 + (changes + 1 if changes else 0), "each change and the one back begin it anew"


def test_what_goes_on_changing_is_judged_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "TIMEOUTS", Timeouts(ready=0))
    _, said = waited(World(Lies(table={"worker-a": TWO})), quiet=20)
    assert said == [
        f"waiting for the labs to settle: {LAGGING}",
        f"the labs are still changing after 0 s, so they are judged as is: {LAGGING}",
    ]


@pytest.mark.parametrize(
    ("lies", "why"),
    [
        (
            Lies(silent={"172.18.0.11"}),
            "load balancer of web-local:80 does not answer (Couldn't connect to server)",
        ),
        (
            Lies(status={atlas.INGRESS_IP: 503}),
            "Ingress frontend as shop.podpath.test answers with status 503",
        ),
        (
            Lies(status={atlas.GATEWAY_IP: 404}),
            "Gateway frontend as shop.podpath.test answers with status 404",
        ),
    ],
)
def test_entrances_that_do_not_answer_are_waited_for(lies: Lies, why: str) -> None:
    made = World(lies)

    def look() -> Snapshot:
        lies.silent.clear()
        lies.status.clear()
        return atlas.snapshot()

    assert waited(made, look=look, quiet=20)[1] == [f"waiting for the labs to settle: {why}"]


def test_a_load_balancer_is_asked_more_than_once() -> None:
    """It may know no healthy node yet and take any: one answer alone tells nothing."""
    made, asked = World(), list[bytes]()

    def execute(place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60) -> CompletedExec:
        asked.append(stdin)
        return made(place, argv, stdin, timeout)

    settled(atlas.view(), atlas.snapshot, execute, ["ingress-l4"], pytest.fail, 0)
    assert asked[-1].count(b'url="http://172.18.0.11:80/"') == KNOCKS > 1


def test_an_ingress_without_an_address_is_waited_for() -> None:
    shot = dataclasses.replace(atlas.snapshot(), ingresses={})
    (said,) = waited(World(), shot, quiet=20)[1]
    assert "the Ingress frontend advertises no address" in said


def test_a_stack_without_a_world_outside_is_settled_without_it() -> None:
    made, said = World(Lies(silent={"172.18.0.11"})), list[str]()
    bare = dataclasses.replace(atlas.view(), outside=None)
    assert settled(bare, atlas.snapshot, made, LABS, said.append, 0) == bare
    assert said == []


@pytest.mark.parametrize(
    ("lies", "shot", "labs"),
    [
        (Lies(table={"worker-a": TWO}), None, ("egress",)),
        (Lies(), unready("rest-1"), ("egress", "no-such-lab")),
        (Lies(), unready("rest-1", leaving=True), ("pod-to-pod",)),
        (Lies(table={"worker-a": TWO}, blind={"worker-a"}), None, ("pod-to-service",)),
        (Lies(table={"worker-a": TWO}, mute={"iptables"}), None, ("pod-to-service",)),
        (Lies(silent={"172.18.0.11"}), None, ("ingress-l7",)),
        (Lies(silent={"172.18.0.11"}, lost={"podpath-outside"}), None, ("ingress-l4",)),
    ],
    ids=[
        "another lab's rules",
        "another lab's Pod",
        "a Pod that leaves",
        "no agent",
        "no rules to read",
        "another lab's balancer",
        "no outside host",
    ],
)
def test_nothing_else_is_waited_for(lies: Lies, shot: Snapshot | None, labs: tuple[str, ...]) -> None:
    assert waited(World(lies), shot, labs)[1] == []


# --- what moves during a run ------------------------------------------------------------------------


def test_shares_are_not_judged_by_rules_that_change_meanwhile() -> None:
    """A third Pod joins when the first request is on its way: its answers are no unfairness."""

    def happens(world: World, what: str) -> None:
        if what.endswith("client curl"):
            world.lies.table.clear()

    made = World(Lies(table={"worker-a": TWO}), happens)
    seen = results(ids="S2-1 S2-2", made=made)
    assert (seen["S2-1"].verdict, seen["S2-1"].failure) == (I, Failure.RULES_CHANGED)
    assert seen["S2-1"].why == (
        "the rules on worker-a changed while they were asked, from 10.244.1.3:80 50.0%, 10.244.2.3:80 50.0% "
        "to 10.244.1.3:80 33.3%, 10.244.2.3:80 33.3%, 10.244.2.4:80 33.3%"
    )
    assert seen["S2-2"].verdict is P


def test_tables_are_not_held_against_endpoints_that_change_meanwhile() -> None:
    def happens(world: World, what: str) -> None:
        if what == "GET /api/v1/pods":
            world.apps["spare"] = "frontend"

    seen = results(ids="S4 S8-use", made=World(happens=happens))
    assert (seen["S4"].verdict, seen["S4"].failure) == (I, Failure.ENDPOINTS_CHANGED)
    assert seen["S4"].why == "the endpoints of frontend changed during the probe"
    assert seen["S8-use"].verdict is P


def test_tables_that_differ_while_nothing_changes_are_red() -> None:
    seen = results(Lies(table={"worker-a": TWO}), "S4 S2-1")
    assert (seen["S4"].verdict, seen["S4"].failure) == (F, Failure.TABLES_DIFFER)
    assert seen["S2-1"].verdict is F, f"a third Pod of {SERVICE_NS} answered, which the rules do not know"
