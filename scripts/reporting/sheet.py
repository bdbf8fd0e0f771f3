"""A sheet to print on: lines that fit a terminal of any width, and the same lines plain everywhere else."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.text import Text

NARROW, WIDE = 40, 140
"""Columns within which text is wrapped, whatever the terminal has: longer lines are hard to read."""
Part = tuple[str, str]
"""Text and its style, as rich names styles."""


def drawn(stream: TextIO) -> bool:
    """Whether a stream gets colours and a moving line: a terminal, unless its user asks for plain text."""
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def sayable(text: str, stream: TextIO) -> str:
    """The text as a stream shows it: characters that its encoding lacks are replaced as the stream does."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    errors = getattr(stream, "errors", None) or "replace"
    return text.encode(encoding, "replace" if errors == "strict" else errors).decode(encoding)


class _Console(Console):
    """rich's console, which leaves it to its caller what follows when the reader has gone."""

    def on_broken_pipe(self) -> None:
        """Lets the BrokenPipeError go on, where rich would end the program."""
        raise


class Sheet:
    """Prints on ``out``: wrapped and in colours on a terminal, in unbroken plain lines elsewhere.

    Commands are never wrapped: what is copied from a terminal has to be one line.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._console = _Console(
            file=out,
            highlight=False,
            markup=False,
            emoji=False,
            color_system="auto" if drawn(out) else None,
        )
        self.width = min(max(self._console.width - 1, NARROW), WIDE) if out.isatty() else None

    def line(self, *parts: str | Part, indent: int = 0) -> None:
        """Prints parts in one line, each a text or a text with its style; wraps nothing."""
        text = Text(" " * indent)
        for part in parts:
            said, style = (part, "") if isinstance(part, str) else part
            text.append(self._sayable(said), style)
        self._print(text)

    def field(self, label: str, text: str, indent: int, style: str = "", wide: int = 12) -> None:
        """Prints a label and a text beside it; further lines of the text begin below its first."""
        self.beside([(f"{label:<{wide - 1}} ", "dim")], text, indent, style)

    def beside(
        self, heads: Sequence[Part], text: str, indent: int = 0, style: str = "", marks: Sequence[Part] = ()
    ) -> None:
        """Prints parts and a text beside them, which is wrapped below its own beginning.

        ``marks`` are expressions and the styles of what they find in it.
        """
        lead = [(self._sayable(said), of) for said, of in heads]
        hang = indent + sum(len(said) for said, _ in lead)
        if self.width is not None and hang > self.width // 2:
            hang = indent + 4
        for number, row in enumerate(self._wrapped(text, indent, hang, lead)):
            printed = Text(" " * (indent if number == 0 else hang))
            if number == 0:
                for said, of in lead:
                    printed.append(said, of)
            told = Text(row, style)
            for expression, of in marks:
                told.highlight_regex(expression, of)
            self._print(printed.append_text(told))

    def clipped(self, heads: Sequence[Part], text: str, indent: int, style: str = "") -> None:
        """Prints parts and a text in one line, of which a terminal shows what fits."""
        printed = Text(" " * indent)
        for said, of in heads:
            printed.append(self._sayable(said), of)
        said, more = self._sayable(" ".join(text.split())), self._sayable("…")
        if self.width is not None and len(printed) + len(said) > self.width:
            said = said[: max(self.width - len(printed) - len(more), 0)].rstrip() + more
        self._print(printed.append(said, style))

    def command(self, label: str, command: str, indent: int, wide: int = 12) -> None:
        """Prints a label and a command to paste, in one line whatever its length."""
        self.line((f"{label:<{wide - 1}} ", "dim"), (command, "cyan"), indent=indent)

    def gap(self) -> None:
        """Prints an empty line."""
        self.line()

    def _wrapped(self, text: str, indent: int, hang: int, lead: Sequence[Part]) -> list[str]:
        said = self._sayable(" ".join(text.split()))
        if self.width is None:
            return [said]
        first = indent + sum(len(one) for one, _ in lead)
        rows = textwrap.wrap(
            said,
            max(self.width - hang, 20),
            initial_indent=" " * max(0, first - hang),
            break_on_hyphens=False,
        )
        return [rows[0].lstrip(), *rows[1:]] if rows else [""]

    def _sayable(self, text: str) -> str:
        return sayable(text, self._out)

    def _print(self, text: Text) -> None:
        text.rstrip()
        self._console.print(text, soft_wrap=True)
