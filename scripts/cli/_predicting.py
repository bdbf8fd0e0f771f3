"""The dialogue of `scripts/trace --predict`: questions before the request is sent, the truth after it."""

from __future__ import annotations

import string
import sys
from collections.abc import Callable, Sequence
from ipaddress import AddressValueError, IPv4Address

from scripts.errors import UsageError
from scripts.progress import say
from scripts.suite.questions import Choice, Outcome, Question, score

SIGNS = {True: "✓", False: "✗", None: "–"}


def ask(questions: Sequence[Question]) -> list[Choice | str]:
    """A person's answers, a line each, read from standard input.

    On a terminal what cannot be meant is asked again. Raises UsageError where the input ends too soon, or
    where a line of a file is no answer.
    """
    answers: list[Choice | str] = []
    try:
        for number, question in enumerate(questions, 1):
            say(f"\n{number} of {len(questions)}. {question.text}")
            for letter, choice in zip(string.ascii_lowercase, question.choices, strict=False):
                say(f"   {letter}  {choice.words}")
            answers.append(_answer(question, number, len(questions)))
    except KeyboardInterrupt:
        say("")
        raise
    say("")
    return answers


def review(outcomes: Sequence[Outcome], tell: Callable[[str], None] = print) -> None:
    """Tells what was right, what is true, and the score."""
    tell("\nyour predictions")
    for number, one in enumerate(outcomes, 1):
        tell(f"  {SIGNS[one.right]} {number}. {one.question.text}")
        if one.right:
            tell(f"      {one.truth}")
        else:
            tell(f"      you said: {one.said}")
            tell(f"      {'observed' if one.right is False else 'not counted'}: {one.truth}")
    right, judged = score(outcomes)
    tell(f"{right} of {judged} right" if judged else "nothing of it was seen, so no prediction was judged")


def _answer(question: Question, number: int, of: int) -> Choice | str:
    typed = sys.stdin is not None and sys.stdin.isatty()
    while True:
        print("   > " if typed else "", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline() if sys.stdin is not None else ""
        if not line:
            ended = f"standard input ended after {number - 1} of {of} answers"
            raise UsageError(f"{ended}: scripts/trace --predict reads one line for each question.")
        if (answer := _meant(question, line.strip())) is not None:
            return answer
        last = string.ascii_lowercase[len(question.choices) - 1]
        if not typed:
            raise UsageError(
                f"answer {number}, {line.strip()!r}, is neither a letter from a to {last} nor an address."
            )
        say(f"   type a letter from a to {last}, or an address")


def _meant(question: Question, said: str) -> Choice | str | None:
    """The choice of a letter or of a word of it, or an address; None for anything else."""
    if len(said) == 1 and said.lower() in string.ascii_lowercase[: len(question.choices)]:
        return question.choices[string.ascii_lowercase.index(said.lower())]
    for choice in question.choices:
        if said and (said in choice.values or said.lower() == choice.words.lower()):
            return choice
    try:
        return str(IPv4Address(said))
    except AddressValueError:
        return None
