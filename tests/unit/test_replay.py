"""Asking reds once more in the made-up cluster: what is asked, how often, and what our mistakes cost."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import pytest

from scripts.causes.scene import Scene
from scripts.checks.base import Step
from scripts.checks.verdict import Verdict
from scripts.evidence.ruletrace import PORTS
from scripts.evidence.trace import Trace
from scripts.evidence.view import View
from scripts.runs import events
from scripts.suite import replay as replaying
from scripts.suite.causes import KINDS
from scripts.suite.run import run
from scripts.transport.executor import CompletedExec, Place
from tests.unit import atlas, curls
from tests.unit.lies import Lies
from tests.unit.runs import P, wanted
from tests.unit.test_ruletrace import NFT
from tests.unit.world import World

SILENT = Lies(silent={atlas.CLUSTER_IP})


TAKEN = {"exitcode": 45, "errormsg": "bind failed with errno 98: Address already in use"}


class Watched(World):
    """A world that keeps what was replayed: nonce and source port of each request. ``heard`` is what the
    monitors tell; without it none can be started."""

    def __init__(self, lies: Lies | None = None, heard: str = "") -> None:
        super().__init__(lies)
        self.heard = heard
        self.replayed: list[tuple[str, int]] = []

    def __call__(
        self, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
    ) -> CompletedExec:
        if self.heard and "nft -a monitor" in " ".join(argv):
            return CompletedExec(tuple(argv), b"", b"", 0, 0.1)
        if self.heard and argv[:1] == ["sh"] and argv[-1] not in self.running and "kill" in argv[2]:
            told = self.heard if place.node == "worker-a" else ""
            return CompletedExec(tuple(argv), told.encode(), b"", 0, 0.1)
        for group in stdin.decode(errors="replace").split("next\n") if b"write-out" in stdin else ():
            options = curls.options(group)
            nonce = options["write-out"][0].split("\\t")[0]
            if nonce.startswith("replay."):
                self.replayed.append((nonce, int(options["local-port"][0])))
        return super().__call__(place, argv, stdin, timeout)


def explained(made: World, ids: str) -> tuple[events.CausesFound, dict[str, Verdict]]:
    """What was found, and the verdicts as they were told."""
    seen: list[events.Event] = []
    run(wanted(ids), atlas.view(), made, made, [seen.append])
    (found,) = [event for event in seen if isinstance(event, events.CausesFound)]
    judged = [event.probe for event in seen if isinstance(event, events.ProbeJudged)]
    return found, {one.id: one.verdict for one in judged}


def test_a_green_run_asks_nothing_again() -> None:
    made, seen = Watched(), list[events.Event]()
    run(wanted("S6-1-80 S6-2-80"), atlas.view(), made, made, [seen.append])
    assert not made.replayed and not any(isinstance(event, events.CausesFound) for event in seen)


def test_reds_are_asked_again_from_ports_of_their_own() -> None:
    made = Watched(SILENT)
    found, _ = explained(made, "S6-1-80 S6-2-80")
    ports = [port for _, port in made.replayed]
    assert len(made.replayed) == 2 * replaying.TRIES and len({*ports}) == len(ports)
    assert {*ports} <= {*PORTS}
    assert {id: one.passes for id, one in found.replays.items()} == {"S6-1-80": False, "S6-2-80": False}
    assert found.replays["S6-1-80"].last == "the request was seen on no node"
    assert not found.causes


def test_each_replay_begins_at_other_ports() -> None:
    first, second = Watched(SILENT), Watched(SILENT)
    explained(first, "S6-1-80")
    explained(second, "S6-1-80")
    assert {port for _, port in first.replayed} != {port for _, port in second.replayed}


class Held(Watched):
    """A world in which the port of the first replayed request is held by another connection."""

    def _answer(self, place: Place, group: dict[str, list[str]]) -> str:
        line = super()._answer(place, group)
        nonce = line.partition("\t")[0]
        return curls.report(nonce, TAKEN, {}) if nonce == "replay.0.0" else line


@pytest.mark.parametrize("lies", [SILENT, Lies(only="peer-0")], ids=["no answer", "answers"])
def test_a_request_whose_port_is_held_is_not_the_one_that_is_followed(
    lies: Lies, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed: list[int] = []

    def trace_of(step: Step, view: View, captures: object, wired: object, port: int) -> Trace:
        followed.append(port)
        return Trace()

    monkeypatch.setattr(replaying, "trace_of", trace_of)
    made = Held(lies)
    explained(made, "S6-1-80")
    assert followed == [dict(made.replayed)["replay.0.1"]]


def test_derived_reds_are_not_asked_again() -> None:
    made = Watched(SILENT)
    found, verdicts = explained(made, "F1-1")
    assert {*verdicts} == {"F1-1", "S6-1-80"} and verdicts["F1-1"] is Verdict.INCONCLUSIVE
    assert {*found.replays} == {"S6-1-80"} and len(made.replayed) == replaying.TRIES


def test_equal_requests_are_asked_once_for_all_who_sent_them() -> None:
    made = Watched(Lies(silent={atlas.BALANCER_IP}))
    found, _ = explained(made, "I1 I2-80")
    assert {*found.replays} == {"I1", "I2-80"} and len(made.replayed) == replaying.TRIES


def test_a_port_of_udp_is_not_asked_by_tcp() -> None:
    made = Watched(Lies(deaf_udp={atlas.PODS[f"datagram-{n}"][2] for n in (1, 2)}))
    found, verdicts = explained(made, "K4-direct-1-same K4-service-1")
    assert Verdict.FAILED in verdicts.values() and not made.replayed and not found.causes


def test_what_was_never_asked_is_not_asked_again() -> None:
    """S4 reads tables: a request of its own would be a new one, and what stops that no cause of the red."""
    made = Watched(Lies(table={"worker-b": ()}))
    found, verdicts = explained(made, "S4")
    assert verdicts == {"S4": Verdict.FAILED} and not made.replayed and not found.replays


def test_beyond_the_budget_each_red_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "MOST", 2 * replaying.TRIES - 1)
    made = Watched(SILENT)
    explained(made, "S6-1-80 S6-2-80")
    assert len(made.replayed) == 2


def test_the_replay_changes_no_verdict() -> None:
    made = Watched(Lies(only="peer-0"))
    found, verdicts = explained(made, "S6-1-80 S6-2-80")
    quiet = run(wanted("S6-1-80 S6-2-80"), atlas.view(), World(), World(Lies(only="peer-0")), explain=False)
    assert verdicts == {one.id: one.verdict for one in quiet} and P not in verdicts.values()
    assert not any(one.passes for one in found.replays.values()), "an answer by the wrong one was not lost"


def test_a_rule_that_a_node_named_is_told_as_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "_ports", lambda: iter(PORTS))  # the first one is the sample's
    heard = NFT.replace("10.244.1.3", "10.244.1.9")
    found, _ = explained(Watched(SILENT, heard), "S6-1-80")
    assert {cause.kind for cause in found.causes if not cause.warning} == {"rule_drops"}
    assert all("S6-1-80" in cause.explains for cause in found.causes)
    assert [rule.text for rule in found.replays["S6-1-80"].ended] == ["ip saddr 10.244.1.9 tcp dport 80 drop"]


@pytest.mark.parametrize("kind", ["endpoints", "rule_drops"])
def test_a_bug_in_a_cause_ends_no_run_and_is_told(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(scene: Scene) -> list[object]:
        raise ZeroDivisionError(f"{len(scene.reds)} reds")

    assert kind in KINDS
    monkeypatch.setattr(import_module(f"scripts.causes.{kind}"), "find", broken)
    found, verdicts = explained(World(SILENT), "S6-1-80")
    (told,) = found.causes
    assert (told.kind, told.warning) == ("unknown", True) and "this is a bug in podpath" in told.what
    assert told.evidence == ["ZeroDivisionError('1 reds')"] and verdicts == {"S6-1-80": Verdict.FAILED}


@pytest.mark.parametrize("gone", [{"node-agent"}, {"client"}, {atlas.OUTSIDE.gateway, atlas.OUTSIDE.host}])
def test_places_that_tell_nothing_end_no_replay(gone: set[str]) -> None:
    found, _ = explained(World(Lies(silent={atlas.CLUSTER_IP}, lost=gone)), "S6-1-80")
    assert "unknown" not in {cause.kind for cause in found.causes}


def test_every_cause_is_looked_for() -> None:
    assert all(callable(import_module(f"scripts.causes.{kind}").find) for kind in KINDS)
    assert {"rule_drops", "no_route", "dns"} <= {*KINDS} and "scene" not in KINDS
