"""The lessons' runner: what a lesson's text says, which outputs hold, and what is written if they do not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.errors import EXIT_ENVIRONMENT, EXIT_USAGE, PodpathError
from scripts.paths import ROOT
from tests.lessons.document import Lesson, lesson_of, rewritten
from tests.lessons.run import TRIES, Told, difference, outputs
from tests.lessons.session import Session
from tests.lessons.shape import compared, holds, normal, recorded, renewed, same

TEXT = """\
# A lesson

```sh
name=world
```

```console
$ echo hello $name
hello world
$ for n in 1 2; do
>   echo $n
> done
1
…
```

```console
…
2
```

```
not run
```
"""


def lesson(path: Path, text: str) -> Lesson:
    file = path / "README.md"
    file.write_text(text)
    return lesson_of(file)


def marked(path: Path, mark: str, *lines: str) -> Lesson:
    """A lesson of one block with a comment before it."""
    return lesson(path, "\n".join(["text", "", f"<!-- lesson: {mark} -->", "```console", *lines, "```", ""]))


def ran(one: Lesson) -> list[Told]:
    with Session({}) as session:
        return [told for _, all_ in outputs(one, session.run) for told in all_]


# --- the text ---------------------------------------------------------------------------------------


def test_a_lesson_is_its_blocks_with_commands_and_outputs(tmp_path: Path) -> None:
    setting, first, more = lesson(tmp_path, TEXT).blocks
    assert (setting.language, setting.steps[0].command, setting.shown) == ("sh", "name=world", False)
    assert [step.command for step in first.steps] == ["echo hello $name", "for n in 1 2; do\n  echo $n\ndone"]
    assert [step.output for step in first.steps] == [("hello world",), ("1", "…")]
    assert [step.line for step in first.steps] == [8, 10]
    assert [(step.command, step.output) for step in more.steps] == [("", ("…", "2"))]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "<!-- lesson: somehow -->\n```console\n$ true\n```\n",
            "1: 'somehow' is unknown: write 'by chance', ",
        ),
        ("\n```console\n$ true\n", "2: this block has no end: close it with ```."),
    ],
)
def test_what_a_lesson_does_not_mean_is_told_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(PodpathError) as told:
        lesson(tmp_path, text)
    assert f"README.md:{said}" in str(told.value)


def test_what_the_reader_is_asked_to_type_is_not_run(tmp_path: Path) -> None:
    text = "```sh\nscripts/down\n```\n"
    assert lesson(tmp_path, text).blocks[0].not_run
    assert not lesson(tmp_path, text.replace("scripts/down", "k=1")).blocks[0].not_run


def test_every_lesson_can_be_read() -> None:
    found = [lesson_of(path) for path in [ROOT / "README.md", *sorted((ROOT / "labs").glob("*/*.md"))]]
    assert len(found) > 7
    for one in found:
        assert any(block.shown for block in one.blocks), f"{one.path} shows nothing"
        for block in one.blocks:
            assert not block.mended or len(block.steps) > 1, f"{one.path}:{block.line} mends nothing"


# --- the form ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("documented", "now"),
    [
        ('"pod":"frontend-757f544597-c5nwh"', '"pod":"frontend-cf56dcb57-ntpqc"'),
        ("client-98tf9 10.244.1.3:53803 6 -", "client-2bcdf 10.244.2.17:1604 6 -"),
        ('"node":"podpath-worker2"', '"node":"podpath-worker"'),
        ("lo               UNKNOWN        127.0.0.1/8", "lo UNKNOWN 127.0.0.1/8"),
        ("       0 µs  in   veth01df3ea8 (Pod x)", "    1057 µs  in   vethd9c0aa11 (Pod x)"),
        ("✓ ask 145 probes (7.7 s)", "✓ ask 150 probes (12.0 s)"),
        ("net:[4026534845]", "net:[4026531840]"),
        ("4: veth811c9e48@if3: <UP> mtu 1500", "17: veth00000000@if23: <UP> mtu 1500"),
        ("      9 frontend-757f544597-c5nwh", "     12 frontend-757f544597-c5nwh"),
        ("tcp      6 119 TIME_WAIT sport=40000 dport=80", "tcp      6 8 TIME_WAIT sport=3999 dport=80"),
        ("-A KUBE-SEP-JCFCFQWMKNQOBMSQ -j X", "-A KUBE-SEP-POEEVLNBBYSX6ALQ -j X"),
        ("answered (…t5w8q 42, …)", "answered (…qxj8l 39, …xlzf6 41)"),
        ("{…} 200", '{"a": 1} 200'),
    ],
)
def test_what_differs_from_run_to_run_may_differ(documented: str, now: str) -> None:
    assert same(documented, now)
    assert normal(documented).text != documented or "…" in documented


@pytest.mark.parametrize(
    ("documented", "now"),
    [
        ("80 200 nginx", "80 503 nginx"),
        ("peer 10.244.1.3:53803", "peer 172.18.0.3:53803"),
        ("peer 10.244.1.3:53803", "peer 10.96.0.3:53803"),
        ("to 10.244.1.3:80", "to 10.244.1.3:8080"),
        ("--probability 0.33333333349", "--probability 0.33333333349 -j X"),
        ("154 probes: 153 passed, 1 skipped", "154 probes: 153 passed, 1 failed"),
        ("    300 0", "    300 7"),
        ("hairpin on", "hairpin off"),
        ("{…} 200", '{"a": 1} 503'),
        ("KUBE-SVC-TUWG5PV7SLTBS6T3", "KUBE-SEP-TUWG5PV7SLTBS6T3"),
        ("6 -", "7 -"),
    ],
)
def test_all_else_must_be_the_same(documented: str, now: str) -> None:
    assert same(documented, documented) and not same(documented, now)


def test_what_is_elided_stays_so_and_all_else_is_renewed() -> None:
    line = '{"pod":"a-757f544597-c5nwh",…,"peer":"10.244.1.3:53803",…}'
    now = '{"pod":"a-cf56dcb57-ntpqc","x":"1","y":[2],"peer":"10.244.2.9:40404","path":"/"}'
    assert renewed(line, now) == '{"pod":"a-cf56dcb57-ntpqc",…,"peer":"10.244.2.9:40404",…}'
    assert renewed("a   b", "a     b") == "a     b"


def test_elided_lines_are_any_lines() -> None:
    documented = ["a 10.244.1.3", "…", "z"]
    for now in (["a 10.244.2.9", "z"], ["a 10.244.2.9", "b", "c", "z", "z"]):
        lines = compared(documented, now)
        assert holds(lines) and recorded(lines) == ["a 10.244.2.9", "…", "z"]
    assert not holds(compared(documented, ["a 10.244.2.9", "z", "b"]))


def test_a_difference_is_as_small_as_it_can_be() -> None:
    lines = compared(["a", "b", "c"], ["a", "x", "c", "d"])
    assert not holds(lines) and recorded(lines) == ["a", "x", "c", "d"]
    assert [line.kind.name for line in lines] == ["SAME", "GONE", "NEW", "SAME", "NEW"]


# --- the run ----------------------------------------------------------------------------------------


def test_a_lesson_that_holds_shares_its_variables_between_blocks(tmp_path: Path) -> None:
    told = ran(lesson(tmp_path, TEXT))
    assert len(told) == 3 and all(one.holds for one in told)


def test_an_output_that_does_not_hold_is_shown_and_can_be_recorded(tmp_path: Path) -> None:
    one = lesson(tmp_path, TEXT.replace("hello world", "hello moon"))
    told = ran(one)
    assert [each.holds for each in told] == [False, True, True]
    shown = difference(one.path, told[0])
    assert shown == f"{one.path}:8: $ echo hello $name\n- hello moon\n+ hello world"
    assert rewritten(one, [(each.step.span, recorded(each.lines)) for each in told]) == TEXT


def test_what_is_written_to_standard_error_and_what_fails_is_output_too(tmp_path: Path) -> None:
    text = "```console\n$ ls /no/such/file\n…/no/such/file…\n$ cat\n$ false\n```\n"
    assert all(one.holds for one in ran(lesson(tmp_path, text)))


def test_a_block_that_is_not_run_is_not_compared(tmp_path: Path) -> None:
    file = tmp_path / "made"
    assert ran(marked(tmp_path, "not run: it makes a file", f"$ touch {file}", "anything")) == []
    assert not file.exists()


def test_what_depends_on_chance_is_run_until_it_holds(tmp_path: Path) -> None:
    count = ["$ n=$((n + 1)); echo at $n", "at 3"]
    assert ran(marked(tmp_path, "by chance", *count))[0].holds
    log = tmp_path / "log"
    nearer = f"$ n=$((n + 1)); echo at $n | tee -a {log}; [ $n != 5 ] || echo yes"
    never = ran(marked(tmp_path, "by chance", nearer, "at 99", "yes"))[0]
    assert not never.holds and len(log.read_text().splitlines()) == TRIES
    assert [line.now for line in never.lines if line.now] == ["at 5", "yes"], "the nearest is told"
    assert not ran(lesson(tmp_path, "\n".join(["```console", *count, "```", ""])))[0].holds


def test_what_was_broken_is_mended_whatever_happens(tmp_path: Path) -> None:
    file = tmp_path / "broken"
    one = marked(
        tmp_path, "mended by its last command", f"$ touch {file}", "$ sleep 60", f"$ rm {file}; echo mended"
    )
    with (
        Session({}, limit=0.5) as session,
        pytest.raises(PodpathError, match=r"README.md:4: 'sleep 60' did not end"),
    ):
        [*outputs(one, session.run)]
    assert not file.exists()


def test_a_command_that_takes_too_long_ends_and_the_next_one_runs() -> None:
    with Session({}, limit=0.5) as session:
        with pytest.raises(PodpathError, match=r"did not end within 0\.5 s"):
            session.run("kept=1; sleep 60; sleep 60")
        assert session.run("echo $kept") == ["1"]
        with pytest.raises(PodpathError, match="ended the shell it was typed in"):
            session.run("exit 3")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nowhere"], EXIT_USAGE, "'nowhere' is no lesson: choose from container-to-container, "),
        ([], EXIT_ENVIRONMENT, "stack kind"),
    ],
)
def test_the_command_says_in_a_sentence_what_is_wrong(
    arguments: list[str], code: int, said: str, tmp_path: Path
) -> None:
    start = f"import sys, scripts.paths as p, pathlib; p.STATE = pathlib.Path({str(tmp_path)!r})\n"
    start += "from tests.lessons.__main__ import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-c", start, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr and done.stderr.count("\n") == 1, done.stderr
