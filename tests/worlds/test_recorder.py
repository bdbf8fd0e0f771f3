"""A run against the made-up cluster is recorded, written, read and replayed with the same verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts.evidence import curl
from scripts.transport import frames
from scripts.transport.executor import CompletedExec, Place, PodExecLimit
from scripts.transport.tokens import seeded, token
from scripts.waiting import Late, eventually, going_by
from tests.unit import atlas
from tests.unit.lies import Lies
from tests.unit.runs import EVERY
from tests.unit.world import World as MadeUp
from tests.worlds import world as worlds
from tests.worlds.parts import data, parts_of, put_together, taken_apart, text
from tests.worlds.recorder import Recorder
from tests.worlds.replayer import Replayer
from tests.worlds.world import World, load, record, replay, save, world_of

AT = Place("client", "ns", "client-a")


def made_up(lies: Lies) -> World:
    made = MadeUp(lies)
    world = world_of("made-up", "made up", "7", atlas.view(), atlas.lists())
    recorder = Recorder(made, made)
    record(world, recorder, EVERY)
    return world


def test_a_run_is_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, impatient: None) -> None:
    monkeypatch.setattr(worlds, "FOLDER", tmp_path)
    world = made_up(Lies(untracked=True, fenceless=True))
    save(world)
    read = load("made-up")
    assert vars(read) == vars(world)
    run, replayer = replay(read)
    assert replayer.missing == {}
    assert {one.id: (one.verdict, one.failure or "", one.why) for one in run.probes} == {
        id: (*verdict, world.reasons.get(id)) for id, verdict in world.probes.items()
    }
    assert {claim.id: claim.verdict for claim in run.claims} == world.claims


@pytest.mark.parametrize("at_once", [True, False])
def test_a_script_is_taken_apart_and_put_together(at_once: bool) -> None:
    asked = frames.Script({"a/1": ["cat", "x y"], "b": ["ip", "addr"]}, at_once)
    out = f"{asked.boundary} begin a/1\none\n{asked.boundary} end a/1 3\n{asked.boundary} begin b\ntw"
    done = CompletedExec((), out.encode(), b"", None, 1.0)
    told = taken_apart(asked.argv(), b"", done)
    assert [part.asked for part in parts_of(asked.argv(), b"")] == [("cat", "x y"), ("ip", "addr")]
    again = frames.Script(asked.commands, at_once)
    back = put_together(again.argv(), b"", told)
    assert again.parse(back.stdout) == {"a/1": frames.Output("one\n", 3)}
    assert back.returncode is None


def test_the_bytes_of_a_capture_come_back() -> None:
    for each in (bytes(range(256)), b"\xff\xfe not utf-8", b"plain"):
        assert data(text(each)) == each


def test_requests_are_kept_apart(impatient: None) -> None:
    first, second = curl.Request("P.1.0", "http://x/"), curl.Request("P.2.1", "http://y/")
    told = taken_apart(
        curl.argv(), curl.render([first, second]), CompletedExec((), b"P.2.1\tsaid\n", b"noise", 7, 1.0)
    )
    assert [one.out for one in told] == [None, "P.2.1\tsaid\n"]
    assert put_together(curl.argv(), curl.render([second]), told[1:]).stdout == b"P.2.1\tsaid\n"
    assert put_together(curl.argv(), curl.render([first, second]), told).returncode == 7


def test_an_error_is_replayed_as_what_it_was() -> None:
    def late(place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60) -> CompletedExec:
        raise PodExecLimit("too slow")

    recorder = Recorder(late, MadeUp())
    with pytest.raises(PodExecLimit):
        recorder(AT, ["true"])
    with pytest.raises(PodExecLimit, match="too slow"):
        Replayer(recorder.tape)(AT, ["true"])


def test_a_wait_that_ended_too_late_does_so_again() -> None:
    looks: list[int] = []
    recorder = Recorder(MadeUp(), MadeUp())
    with going_by(recorder), pytest.raises(Late):
        eventually(lambda: looks.append(1), 0.05, "nothing", every=0.01)
    seen, looks = len(looks), []
    with going_by(Replayer(recorder.tape)), pytest.raises(Late):
        eventually(lambda: looks.append(1), 0.05, "nothing", every=0.01)
    assert len(looks) == seen
    with going_by(Replayer(recorder.tape)), pytest.raises(Late):
        eventually(lambda: None, 3600, "something that was never waited for", every=0.01)


def test_tokens_follow_from_their_scope_alone() -> None:
    with seeded("1"):
        first = [token(4, "a"), token(4, "a"), token(8, "b")]
    with seeded("1"):
        assert [token(8, "b"), token(4, "a"), token(4, "a")] == [first[2], *first[:2]]
    with seeded("2"):
        assert token(4, "a") not in first
    assert token(4, "a") != token(4, "a") and len(token(4, "a")) == 8
