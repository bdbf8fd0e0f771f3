"""`scripts/trace --predict`: what is asked before the request is sent, and how the answers are judged."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from scripts.cli import trace as command
from scripts.cli.trace import trace
from scripts.errors import EXIT_FAILED, EXIT_OK, UsageError
from tests.unit import atlas
from tests.unit.lies import Lies
from tests.unit.monitored import Monitored

SERVICE = "pod-to-service/service/frontend:80"
Typed = Callable[..., Monitored]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Typed:
    """A made-up cluster under the command, and what is typed."""

    def put(*lines: str, lies: Lies | None = None, tty: bool = False) -> Monitored:
        made = Monitored(lies)
        cluster = SimpleNamespace(look=atlas.view, execute=made)
        monkeypatch.setattr(command, "cluster_of", lambda profile: cluster)
        monkeypatch.setattr(command, "restore_alone", lambda profile: None)
        stdin = io.StringIO("".join(f"{line}\n" for line in lines))
        monkeypatch.setattr(stdin, "isatty", lambda: tty)
        monkeypatch.setattr(sys, "stdin", stdin)
        return made

    return put


def sent(made: Monitored) -> list[str]:
    """The places from which curl asked."""
    return [one for one in made.execs if one.endswith(" curl")]


def reviewed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines from the review on."""
    lines = capsys.readouterr().out.splitlines()
    return lines[lines.index("your predictions") :]


def test_right_answers_by_letter_word_and_address(typed: Typed, capsys: pytest.CaptureFixture[str]) -> None:
    typed(atlas.NODES["worker-a"], "no", atlas.OUTSIDE.gateway_outside_ip, "a")
    assert trace("egress/traveller", "outside", predict=True) == EXIT_OK
    lines = reviewed(capsys)
    assert lines[-1] == "4 of 4 right"
    assert lines[1] == "  ✓ 1. Which source address does the wire carry at worker-a's own interface?"
    assert atlas.NODES["worker-a"] in lines[2] and "at worker-a eth0 out: " in lines[2]


def test_wrong_answers_show_what_was_observed(typed: Typed, capsys: pytest.CaptureFixture[str]) -> None:
    typed("a", "b", "a", "c")
    assert trace("egress/traveller", "outside", predict=True) == EXIT_OK
    lines = reviewed(capsys)
    wrong = lines.index("  ✗ 1. Which source address does the wire carry at worker-a's own interface?")
    assert lines[wrong + 1].startswith("      you said: 10.244.")
    assert lines[wrong + 2].startswith(
        f"      observed: {atlas.NODES['worker-a']}, the address of worker-a, at "
    )
    assert lines[-1] == "0 of 4 right"


def test_a_service_asks_for_the_translation_and_the_chance(
    typed: Typed, capsys: pytest.CaptureFixture[str]
) -> None:
    typed("b", "c", "a", "a")
    assert trace("client-1", SERVICE, predict=True) == EXIT_OK
    said = capsys.readouterr()
    assert f"Is the destination, {atlas.CLUSTER_IP}, translated on the way, and to what?" in said.err
    assert said.out.splitlines()[-1] == "4 of 4 right"
    assert "yes, to the address of a Pod behind it (10.244." in said.out and " of 3" in said.out


def test_a_balancer_asks_for_its_own_connection(typed: Typed, capsys: pytest.CaptureFixture[str]) -> None:
    typed("two: what is asked opens a second", "a", "c", "a")
    assert trace("outside", "pod-to-service/balancer/frontend:80", predict=True) == EXIT_OK
    lines = reviewed(capsys)
    assert [line[2] for line in lines if line.startswith("  ") and line[2] in "✓✗–"] == ["✓"] * 4, lines


def test_neighbours_do_not_leave_their_node(typed: Typed, capsys: pytest.CaptureFixture[str]) -> None:
    typed("no", "a", "a", "a")
    assert trace("client-1", "pod-to-service/frontend:80", same=True, predict=True) == EXIT_OK
    assert reviewed(capsys)[-1] == "4 of 4 right"


def test_what_the_request_does_not_show_is_not_counted(
    typed: Typed, capsys: pytest.CaptureFixture[str]
) -> None:
    typed("a", "a", "a", "a", lies=Lies(uncaptured={"worker-a", "worker-b", "control"}))
    assert trace("client-1", SERVICE, predict=True) == EXIT_FAILED
    lines = reviewed(capsys)
    assert lines[-1] == "nothing of it was seen, so no prediction was judged"
    assert "      not counted: this request does not show it" in lines


def test_questions_come_before_the_request(typed: Typed) -> None:
    made = typed("a", "a")
    with pytest.raises(UsageError, match=r"^standard input ended after 2 of 4 answers: [^\n]*$"):
        trace("client-1", SERVICE, predict=True)
    assert not sent(made) and not made.running


@pytest.mark.parametrize("line", ["", "z", "maybe", "10.0.0", "ü"])
def test_a_line_that_is_no_answer_is_a_usage_error(typed: Typed, line: str) -> None:
    made = typed(line, "a", "a", "a")
    with pytest.raises(
        UsageError, match=r"^answer 1, .*, is neither a letter from a to [c-e] nor an address\.$"
    ):
        trace("client-1", SERVICE, predict=True)
    assert not sent(made)


def test_on_a_terminal_it_is_asked_again(typed: Typed, capsys: pytest.CaptureFixture[str]) -> None:
    typed("what?", "b", "c", "a", "a", tty=True)
    assert trace("client-1", SERVICE, predict=True) == EXIT_OK
    said = capsys.readouterr()
    assert "   type a letter from a to d, or an address" in said.err
    assert said.out.splitlines()[-1] == "4 of 4 right"


def test_standard_output_stays_json(typed: Typed, capfd: pytest.CaptureFixture[str]) -> None:
    typed("b", "c", "a", "a")
    assert trace("client-1", SERVICE, predict=True, json="-") == EXIT_OK
    said = capfd.readouterr()
    assert said.out.startswith("{") and said.out.count("\n") == 1 and "4 of 4 right" in said.err


def test_an_interrupt_leaves_nothing_and_sends_nothing(
    typed: Typed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = typed()

    def interrupted() -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.stdin, "readline", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trace("client-1", SERVICE, predict=True)
    assert not sent(made) and not made.running and capsys.readouterr().err.endswith("\n")


def test_a_closed_standard_input_is_told(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    typed()
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="standard input ended after 0 of 4 answers"):
        trace("client-1", SERVICE, predict=True)
