"""Nodes that do not answer are known before anything is asked of them, and delay nobody."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from scripts.evidence.view import View
from scripts.suite.pulse import Guarded, NodeSilent, silent_nodes
from scripts.transport.executor import CompletedExec, Place, PodExecError, PodExecLimit
from tests.unit import atlas


class Nodes:
    """An executor whose nodes end as it is told, and that keeps where it was asked."""

    def __init__(self, **ends: Exception) -> None:
        self.ends = {name.replace("_", "-"): error for name, error in ends.items()}
        self.asked: list[str] = []

    def __call__(
        self, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
    ) -> CompletedExec:
        self.asked.append(place.node)
        if error := self.ends.get(place.node):
            raise error
        return CompletedExec(tuple(argv), b"", b"", 0, 0.0)


def view(*unready: str) -> View:
    """The cluster at first, in which the API has some nodes as not ready, and all others as ready."""
    shot = atlas.snapshot()
    nodes = tuple(dataclasses.replace(node, ready=node.name not in unready) for node in shot.nodes)
    return dataclasses.replace(atlas.view(), snapshot=dataclasses.replace(shot, nodes=nodes))


def test_nodes_that_answer_are_not_silent() -> None:
    execute = Nodes()
    assert silent_nodes(view(), execute) == {}
    assert sorted(execute.asked) == sorted(atlas.NODES)


def test_a_node_that_is_not_ready_is_silent_and_not_even_asked() -> None:
    execute = Nodes()
    assert silent_nodes(view("worker-b"), execute) == {"worker-b": "the API reports it as not ready"}
    assert "worker-b" not in execute.asked


@pytest.mark.parametrize(
    ("error", "silent"),
    [
        (PodExecLimit("true in agent-worker-a/node-agent did not end within 3 s"), {"worker-a"}),
        (PodExecError("error dialing backend: EOF"), set()),
    ],
)
def test_only_a_time_limit_is_silence(error: Exception, silent: set[str]) -> None:
    told = silent_nodes(view(), Nodes(worker_a=error))
    assert {*told} == silent
    assert all(why == "its node-agent did not run a program within 3 s" for why in told.values())


def test_nothing_is_run_on_a_silent_node_and_all_else_is_as_ever() -> None:
    execute = Nodes()
    guarded = Guarded(execute, {"worker-a": "its kubelet is gone"})
    here, there = (Place("client", pod="client", node=node) for node in ("worker-a", "worker-b"))
    with pytest.raises(NodeSilent, match=r"^node worker-a does not answer: its kubelet is gone$"):
        guarded(here, ["true"])
    assert guarded(there, ["true"]).returncode == 0
    assert guarded(Place("podpath-outside"), ["true"]).returncode == 0
    assert execute.asked == ["worker-b", ""]


def test_a_silent_node_is_not_tried_again() -> None:
    assert issubclass(NodeSilent, PodExecLimit)


def limited(place: str) -> PodExecLimit:
    return PodExecLimit(f"curl in {place} did not end within 60 s")


def test_a_node_that_falls_silent_costs_one_time_limit_and_not_one_each() -> None:
    execute = Nodes(worker_a=limited("client-a"))
    guarded = Guarded(execute, {}, atlas.view().agent_places())
    here = Place("client", pod="client-a", node="worker-a")
    for _ in range(3):
        with pytest.raises(NodeSilent, match=r"^node worker-a does not answer: its node-agent did not run"):
            guarded(here, ["curl"])
    assert execute.asked == ["worker-a", "worker-a"], "the program, and then the node's agent"


def test_a_program_that_takes_too_long_on_a_node_that_answers_is_only_that() -> None:
    class Slow(Nodes):
        def __call__(
            self, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
        ) -> CompletedExec:
            if place.container == "client":
                raise limited("client-a")
            return super().__call__(place, argv, stdin, timeout)

    guarded = Guarded(Slow(), {}, atlas.view().agent_places())
    for _ in range(2):
        with pytest.raises(PodExecLimit, match="did not end") as error:
            guarded(Place("client", pod="client-a", node="worker-a"), ["curl"])
        assert not isinstance(error.value, NodeSilent)
    assert guarded(Place("node-agent", node="worker-a"), ["true"]).returncode == 0
