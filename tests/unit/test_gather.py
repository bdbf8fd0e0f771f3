"""Connections are looked at while a batch lasts: what netfilter forgets meanwhile was seen."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence

import pytest

from scripts.evidence.conntrack import Entry, Flow, Index
from scripts.evidence.nodeview import Kernel, NodeView
from scripts.suite import gather
from scripts.suite.gather import Gathering
from scripts.transport.executor import CompletedExec, Place, PodExecError
from tests.unit import atlas
from tests.unit.execs import scripted

CLIENT, SERVER = "10.244.1.9", "10.244.2.10"


def line(port: int) -> str:
    there, back = f"src={CLIENT} dst={SERVER} sport={port} dport=80", f"src={SERVER} dst={CLIENT} sport=80"
    return f"ipv4 2 tcp 6 9 CLOSE {there} {back} dport={port} [ASSURED] mark=0 use=1\n"


class Forgetful:
    """Nodes that list each connection only once; ``looked`` is set when all nodes were asked twice."""

    def __init__(self, deaf: str = "") -> None:
        self.deaf, self.looked, self.count = deaf, threading.Event(), itertools.count(1)
        self.listings = {node: iter([line(1), line(2)]) for node in atlas.NODES}

    def __call__(
        self, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
    ) -> CompletedExec:
        if next(self.count) > 2 * len(atlas.NODES):
            self.looked.set()
        if place.node == self.deaf:
            raise PodExecError("EOF")
        boundary, asked = scripted(argv[2])
        assert [*asked] == [f"conntrack/{CLIENT}"], "nothing but connections is looked at in between"
        (key,) = asked
        told = next(self.listings[place.node], "")
        return CompletedExec(
            tuple(argv), f"{boundary} begin {key}\n{told}{boundary} end {key} 0\n".encode(), b"", 0, 0.0
        )


def gathered(execute: Forgetful, last: Kernel, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """What a batch sees whose last look is ``last``."""
    monkeypatch.setattr(gather, "EVERY", 0)
    with Gathering(atlas.view(), execute, [CLIENT]) as gathering:
        assert execute.looked.wait(20)
    return gathering.joined(last)


def ports(kernel: Kernel, port: int) -> set[str]:
    return {node for node, _ in kernel.index.of((CLIENT, port), (SERVER, 80))}


def test_what_is_forgotten_at_the_end_was_seen_before(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(CLIENT, SERVER, 3, 80)
    entry = Entry(flow, flow.mirrored, "TIME_WAIT", "the last one")
    nodes = {node: NodeView() for node in atlas.NODES} | {"worker-a": NodeView(entries=(entry,))}
    last = Kernel(nodes, Index({"worker-a": [entry]}))
    seen = gathered(Forgetful(), last, monkeypatch)
    assert ports(seen, 1) == ports(seen, 2) == {*atlas.NODES}
    assert ports(seen, 3) == {"worker-a"}
    assert seen.late == "" and seen.nodes == last.nodes


def test_a_node_that_cannot_be_asked_in_between_costs_the_others_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = gathered(Forgetful(deaf="worker-b"), Kernel(), monkeypatch)
    assert ports(seen, 1) == {*atlas.NODES} - {"worker-b"}


def test_a_short_batch_is_not_looked_at_meanwhile() -> None:
    execute = Forgetful()
    with Gathering(atlas.view(), execute, [CLIENT]) as gathering:
        pass
    assert next(execute.count) == 1
    assert gathering.joined(Kernel()).late == ""


def test_too_long_between_two_looks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "LIFE", -1.0)
    seen = gathered(Forgetful(), Kernel(), monkeypatch)
    assert seen.late.endswith(" s passed between two looks at them")


def test_looking_ends_with_the_block_whatever_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = threading.active_count()
    monkeypatch.setattr(gather, "EVERY", 0)
    with pytest.raises(KeyboardInterrupt), Gathering(atlas.view(), Forgetful(), [CLIENT]):
        raise KeyboardInterrupt
    assert threading.active_count() == before
