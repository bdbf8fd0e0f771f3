"""How changes are undone: the patch that takes one back, and the journal that outlives a killed run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from scripts.checks import undo as module
from scripts.checks.undo import Undo, has, restore, reverse
from scripts.cli import _restoring
from scripts.errors import NotThere, PodpathError
from scripts.stack.profile import Profile
from scripts.suite.journal import Changes
from scripts.transport.executor import CompletedExec, Place, PodExecError
from scripts.waiting import eventually

PATH = "/api/v1/namespaces/a/pods/b"
LABEL = Undo("label app of Pod b", PATH, "1", {"metadata": {"labels": {"app": "b"}}})
GO_ON = Undo("hanging nginx of Pod b", PATH, "1", place=Place("nginx", "a", "b", "1"), argv=("go", "on"))


def merged(was: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """An object after a JSON merge patch (RFC 7386)."""
    now = dict(was)
    for key, value in patch.items():
        if value is None:
            now.pop(key, None)
        elif isinstance(value, Mapping):
            before = now.get(key)
            now[key] = merged(before if isinstance(before, Mapping) else {}, value)
        else:
            now[key] = value
    return now


NOBODY = {"spec": {"selector": {"app": "nobody"}}}


@pytest.mark.parametrize(
    ("was", "back"),
    [
        ({"spec": {"selector": {"app": "blog"}}}, {"spec": {"selector": {"app": "blog"}}}),
        ({"spec": {"selector": {"app": "blog", "tier": "x"}}}, {"spec": {"selector": {"app": "blog"}}}),
        ({"spec": {"selector": {"name": "blog"}}}, {"spec": {"selector": {"app": None}}}),
        ({"spec": {"type": "ClusterIP"}}, {"spec": {"selector": None}}),
        ({}, {"spec": None}),
    ],
)
def test_a_change_is_taken_back_to_what_was_read(was: dict[str, Any], back: dict[str, Any]) -> None:
    assert reverse(NOBODY, was) == back
    changed = merged(was, NOBODY)
    assert merged(changed, back) == was
    assert has(was, back) and not has(changed, back)


class Cluster:
    """One Pod; ``deaf`` takes patches and does not follow, ``away`` refuses so many requests."""

    def __init__(self, app: str = "other", uid: str = "1", deaf: bool = False, away: int = 0) -> None:
        self.object: dict[str, Any] = {"metadata": {"uid": uid, "labels": {"app": app}}}
        self.deaf, self.away, self.code = deaf, away, 0
        self.ran: list[str] = []

    def get(self, path: str, **query: str) -> dict[str, Any]:
        if path.endswith("/configmaps"):
            return {"items": []}
        assert path == PATH
        if not self.object:
            raise NotThere("404")
        return self.object

    def patch(self, path: str, change: Mapping[str, Any]) -> dict[str, Any]:
        if self.away:
            self.away -= 1
            raise PodpathError("no cluster answers.")
        if not self.object:
            raise NotThere("404")
        self.object = self.object if self.deaf else merged(self.object, change)
        return self.object

    def delete(self, path: str, **query: str) -> dict[str, Any]:
        raise AssertionError("nothing is deleted")

    def __call__(
        self, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
    ) -> CompletedExec:
        if self.away:
            self.away -= 1
            raise PodExecError("EOF")
        self.ran.append(f"{place} {' '.join(argv)}")
        return CompletedExec(tuple(argv), b"", b"", self.code, 0.1)


@pytest.mark.parametrize("undo", [LABEL, GO_ON])
def test_undoing_is_tried_until_it_is_verified(undo: Undo) -> None:
    made = Cluster(away=2)
    restore(undo, made, made, 10)
    assert made.away == 0 and (undo is not LABEL or made.object["metadata"]["labels"] == {"app": "b"})
    assert undo is not GO_ON or made.ran == ["b/nginx go on"]


@pytest.mark.parametrize(
    ("undo", "made", "why"),
    [
        (LABEL, Cluster(deaf=True), "the API server accepted the change of .* but does not have it"),
        (LABEL, Cluster(away=99), "no cluster answers"),
        (GO_ON, Cluster(away=99), "EOF"),
    ],
)
def test_what_is_sent_is_not_yet_undone(undo: Undo, made: Cluster, why: str) -> None:
    with pytest.raises(PodpathError, match=f"^the {undo.what} could not be restored within 0.2 s: {why}"):
        restore(undo, made, made, 0.2)


def test_a_program_that_fails_has_undone_nothing() -> None:
    made = Cluster()
    made.code = 1
    with pytest.raises(PodpathError, match="go in b/nginx ended with 1"):
        restore(GO_ON, made, made, 0.1)


@pytest.mark.parametrize("undo", [LABEL, GO_ON])
@pytest.mark.parametrize("uid", ["", "2"])
def test_a_pod_that_is_gone_or_another_one_is_nothing_to_undo(undo: Undo, uid: str) -> None:
    made = Cluster(uid=uid, away=99)
    made.object = made.object if uid else {}
    assert not undo.is_needed(made)
    restore(undo, made, made, 0.1)
    assert made.ran == []


def test_what_is_as_it_was_needs_no_undoing() -> None:
    assert LABEL.is_needed(Cluster()) and not LABEL.is_needed(Cluster(app="b"))
    assert GO_ON.is_needed(Cluster(app="b")), "whether a program hangs cannot be seen from the API"


def test_a_journal_outlives_its_process_and_forgets_what_is_undone(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    for undo in (LABEL, GO_ON):
        Changes(file).before_change(undo)
    assert Changes(file).pending() == [LABEL, GO_ON]
    with file.open("a") as out:
        out.write('{"what": "selec')  # killed while it was written
    assert Changes(file).pending() == [LABEL, GO_ON]
    Changes(file).undone(LABEL)
    assert Changes(file).pending() == [GO_ON]
    Changes(file).undone(GO_ON)
    assert not file.exists() and Changes(file).pending() == []


def test_a_line_that_was_cut_off_takes_no_other_with_it(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    Changes(file).before_change(LABEL)
    file.write_text(file.read_text() + file.read_text()[:20])
    Changes(file).before_change(GO_ON)
    assert Changes(file).pending() == [LABEL, GO_ON]
    file.write_bytes(b'{"what": "\xff')
    Changes(file).before_change(GO_ON)
    assert Changes(file).pending() == [GO_ON]


def test_replaying_goes_backwards_and_tells_one_line(tmp_path: Path) -> None:
    journal, made, said = Changes(tmp_path / "journal"), Cluster(), list[str]()
    for undo in (LABEL, GO_ON):
        journal.before_change(undo)
    journal.replay(made, made, said.append)
    assert said == [f"a run was killed; restored what it had changed: {GO_ON.what}, {LABEL.what}"]
    assert journal.pending() == [] and made.object["metadata"]["labels"] == {"app": "b"}
    journal.replay(made, made, said.append)
    assert len(said) == 1


def test_what_is_gone_or_was_never_changed_is_forgotten_in_silence(tmp_path: Path) -> None:
    journal, said = Changes(tmp_path / "journal"), list[str]()
    for made in (Cluster(uid="2"), Cluster(app="b")):
        journal.before_change(LABEL)
        journal.replay(made, made, said.append)
        assert journal.pending() == [] and said == []


def test_what_cannot_be_undone_now_is_kept_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "eventually", lambda condition, _, what: eventually(condition, 0, what))
    journal, said = Changes(tmp_path / "journal"), list[str]()
    for undo in (LABEL, GO_ON):
        journal.before_change(undo)
    made = Cluster(away=1)
    journal.replay(made, made, said.append)
    assert said == [
        "a run was killed, and the hanging nginx of Pod b could not be restored within 5 s: EOF. "
        "The next command tries again.",
        "a run was killed; restored what it had changed: label app of Pod b",
    ]
    assert journal.pending() == [GO_ON]


def test_only_a_command_that_finds_something_takes_the_lock(
    stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    class Lock:
        def __init__(self, cluster: str, whose: str) -> None:
            done.append(f"lock {cluster} of {whose}")

        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None: ...

    made = Cluster()
    monkeypatch.setattr(_restoring, "lock", Lock)
    monkeypatch.setattr(_restoring, "api_of", lambda profile: made)
    monkeypatch.setattr(_restoring, "RealExecutor", lambda api: made)
    monkeypatch.setattr(_restoring, "say", done.append)
    _restoring.restore_alone(stack)
    assert done == []
    _restoring.journal_of(stack).before_change(LABEL)
    _restoring.restore_alone(stack)
    restored = "a run was killed; restored what it had changed: label app of Pod b"
    assert done == ["lock podpath-own of scripts/probe", restored]
    assert not (stack.folder / "journal.jsonl").exists()
