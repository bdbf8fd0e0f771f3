"""Every client asks the client on every other node: each way is judged, and one bad way is enough."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from scripts.checks.base import Observation, Work
from scripts.checks.mesh import MOST, Mesh
from scripts.checks.peers import Client, PodOn, Source
from scripts.checks.verdict import Failure, Finding
from scripts.evidence.view import View
from scripts.suite.plan import Plan, plan_of
from scripts.suite.run import run
from tests.unit import atlas
from tests.unit.growth import grown
from tests.unit.lies import Lies
from tests.unit.runs import F, I, P, S, pair_of, results
from tests.unit.world import World

pytestmark = pytest.mark.usefixtures("impatient")
ID = "P1-nodes"
CLIENT_A, CLIENT_B = (atlas.PODS[name][2] for name in ("client-a", "client-b"))


def planned(view: View) -> Plan:
    return plan_of([pair_of(ID)], view)


def settled(view: View) -> Finding:
    return planned(view).settled[ID]


def test_an_honest_cluster_passes_and_says_how_many_ways_there_are() -> None:
    record = results(ids=ID)[ID]
    assert (record.verdict, record.why) == (P, "2 ways between 2 nodes")
    assert {said["X-Podpath-Pod"] for said in record.receipt.server} == {"client-a", "client-b"}


@pytest.mark.parametrize(
    ("lies", "failure", "words"),
    [
        (
            Lies(silent={CLIENT_B}),
            Failure.REFUSED,
            "1 of 2 ways are not so, first from worker-a to worker-b: ",
        ),
        (
            Lies(responder={CLIENT_A: "server-1"}),
            Failure.WRONG_RESPONDER,
            "first from worker-b to worker-a: server-1 answered at the IP of client-a",
        ),
        (Lies(natted=True), Failure.WRONG_SOURCE, "2 of 2 ways are not so"),
    ],
)
def test_one_bad_way_is_enough_and_is_named(lies: Lies, failure: Failure, words: str) -> None:
    record = results(lies, ID)[ID]
    assert (record.verdict, record.failure) == (F, failure)
    assert words in (record.why or "")


def test_the_bad_way_is_the_one_that_is_asked_by_hand_and_asked_again() -> None:
    made = World(Lies(silent={CLIENT_A}))
    (record,) = run([pair_of(ID)], atlas.view(), made, made)
    assert "exec client-b -c client" in record.command and f"http://{CLIENT_A}:80/" in record.command
    asked = [said for said in made.execs if said.endswith(" curl")]
    assert asked.count("client-b/client curl") == 2 and asked.count("client-a/client curl") == 1


def test_what_is_asked_again_is_the_way_that_is_named_not_one_before_it_that_is_only_open() -> None:
    made = World(Lies(silent={CLIENT_A}, untracked=True))
    (record,) = run([pair_of(ID)], atlas.view(), made, made)
    assert "2 of 2 ways are not so, first from worker-b to worker-a" in (record.why or "")
    assert made.execs.count("client-b/client curl") == 2 and made.execs.count("client-a/client curl") == 1


@pytest.mark.parametrize("workers", [3, 10])
def test_every_node_asks_every_other_in_one_exec_a_node(workers: int) -> None:
    view = grown(workers)
    batches = planned(view).requests()
    ips = {pod.node: pod.ip for pod in view.clients()}
    assert {place.node for place in batches} == {*ips}
    for place, requests in batches.items():
        asked = {urlsplit(request.url).hostname for request in requests}
        assert len(requests) == workers - 1 and asked == {*ips.values()} - {ips[place.node]}


def test_in_a_very_large_cluster_each_node_still_asks_and_is_asked_as_often_as_any_other() -> None:
    batches = planned(grown(200)).requests()
    assert {len(requests) for requests in batches.values()} == {MOST}
    asked = Counter(urlsplit(one.url).hostname for requests in batches.values() for one in requests)
    assert len(asked) == 200 and {*asked.values()} == {MOST}


def test_one_node_has_no_other_to_ask() -> None:
    assert settled(grown(1)).verdict is S


def test_a_node_that_does_not_answer_or_has_no_client_is_not_left_out_in_silence() -> None:
    view = grown(3)
    silent = settled(replace(view, silent={"worker-0001": "it is paused"}))
    assert (silent.verdict, silent.failure) == (I, Failure.NODE_DOWN)
    fewer = replace(view, snapshot=replace(view.snapshot, pods=view.snapshot.pods[1:]))
    missing = settled(fewer)
    assert (missing.verdict, missing.failure) == (F, Failure.MISSING_PEER)
    assert "no client Pod is ready on worker-0000" in missing.why


def test_no_way_at_all_proves_nothing() -> None:
    (step,) = planned(grown(3)).steps
    check = step.probe.check
    assert isinstance(check, Mesh)
    assert check.judge(Observation(replace(step, work=Work()), grown(3))).verdict is I


def test_many_ways_share_what_they_know_of_the_cluster() -> None:
    """A copy for each way grows with the square of the nodes: 4 GB for a thousand of them."""
    view = grown(3)
    (step,) = planned(view).steps
    one, other = Observation(step, view), Observation(step, view)
    assert one.pod_ips is other.pod_ips


@pytest.mark.parametrize(
    "source", [Client(0, ("pitfalls", "server")), PodOn("pitfalls", "server", "nginx", 0)]
)
def test_in_a_large_cluster_probes_start_where_their_peers_run(source: Source) -> None:
    """Of many nodes two run the lab's Pods: seen from the first ones by name, there would be nobody."""
    view = grown(5)
    server = next(pod for pod in atlas.view().snapshot.pods if pod.name == "server-1")
    here = replace(server, node="worker-0003")
    made = replace(view, snapshot=replace(view.snapshot, pods=(*view.snapshot.pods, here)))
    assert source.place(made).node == "worker-0003"
    unready = replace(
        made, snapshot=replace(made.snapshot, pods=(*view.snapshot.pods, replace(here, ready=False)))
    )
    if isinstance(source, Client):
        assert source.place(unready).node == "worker-0003", "the order does not change with the Pods' state"
        assert replace(source, index=1).place(made).node == "worker-0000"
