"""The rules that a packet met, in as few lines as say what became of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from scripts.runs.document import ChoiceRecord, HopRecord, RuleRecord

_PASSING = ("JUMP", "GOTO", "RETURN", "CONTINUE")
"""Verdicts after which the packet meets further rules of the same table."""
_NOISE = re.compile(r'^-A \S+ |counter packets \d+ bytes \d+ ?|-m comment --comment (?:"[^"]*"|\S+) ?')
"""The chain, which is told before it, and what says nothing of the packet."""


def condensed(rules: Iterable[RuleRecord]) -> list[str]:
    """A line for each rule that decided: its table, the chains that led to it, and what it says.

    Jumps that led to nothing and chains that accepted by their policy are left out; the same for several
    packets is said once.
    """
    return [*dict.fromkeys(line for _, line in decisions(rules))]


def rewriting(hops: Sequence[HopRecord], number: int) -> str:
    """The rules that rewrote the packet before the hop at ``number`` of its way; empty if none was observed.

    Rules are told at the hop where the packet leaves its node, so they may stand at a later one of the node.
    """
    begin = hops[number]
    for hop in hops[number:]:
        if (hop.node, hop.leg) != (begin.node, begin.leg) or (hop.changed and hop is not begin):
            return ""
        if hop.rule:
            lines = [line for rule, line in decisions(hop.rules) if _rewrote(rule, hop)]
            return "; ".join(dict.fromkeys(lines)) or plain(hop.rule)
    return ""


def plain(text: str) -> str:
    """A rule without its chain, its counters and its comment."""
    return " ".join(_NOISE.sub("", text).split())


def met(rule: RuleRecord) -> str:
    """One rule that was met, whatever came of it, in a line."""
    said = plain(rule.text) or "policy"
    return f"{rule.table} {rule.chain}: {said}{_came_of(rule, said)}"


def decisions(rules: Iterable[RuleRecord]) -> Iterator[tuple[RuleRecord, str]]:
    """The rules that decided, each with its line; the same decision for several packets is repeated."""
    stack: list[tuple[str, str]] = []
    next_chain = ""
    for rule in rules:
        at = rule.table, rule.chain
        if at in stack:
            del stack[stack.index(at) + 1 :]
        elif stack and at == (stack[-1][0], next_chain):
            stack.append(at)
        else:
            stack = [at]
        word, _, next_chain = rule.verdict.partition(" ")
        if word in _PASSING or (word == "ACCEPT" and not rule.text):
            continue
        said = plain(rule.text) or f"policy {rule.verdict}"
        chains = " → ".join(chain for _, chain in stack)
        yield rule, f"{rule.table} {chains}{_chosen(rule.choice)}: {said}"


def _rewrote(rule: RuleRecord, hop: HopRecord) -> bool:
    """Whether it is the rule of the hop, or another that let the packet go and was decisive all the same."""
    return rule.text == hop.rule or (rule.decided and rule.verdict == "ACCEPT")


def _chosen(choice: ChoiceRecord | None) -> str:
    """Which backend it was, of how many, and by what chance."""
    if choice is None:
        return ""
    why = "kept by session affinity" if choice.share is None else f"{choice.share * 100:.0f} %"
    return f" ({choice.number} of {choice.of}, {why})"


def _came_of(rule: RuleRecord, said: str) -> str:
    """The verdict, where the rule's words do not end with it."""
    return "" if said.lower().endswith(rule.verdict.lower().split()[-1]) else f"  {rule.verdict}"
