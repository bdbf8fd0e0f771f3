"""All rules of a node's tables as ``iptables-save -c`` prints them, with what they counted.

Positions count from 1 in a chain, as ``iptables -D CHAIN NUMBER`` and ``iptables -L --line-numbers`` have
them. See iptables-save(8).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_CHAIN = re.compile(r":(\S+) (\S+) \[(\d+):\d+\]")
_RULE = re.compile(r"\[(\d+):\d+\] -A (\S+) ?(.*)")
_TARGET = re.compile(r"(?:^| )-[jg] (\S+)")


@dataclass(frozen=True)
class CountedRule:
    """A rule at its place. ``text`` is what follows the chain's name; ``packets`` what it counted."""

    table: str
    chain: str
    number: int
    text: str
    packets: int

    @property
    def target(self) -> str:
        """The target it jumps to, such as DROP or a chain; empty if it only counts."""
        found = _TARGET.search(self.text)
        return found[1] if found else ""

    @property
    def ends(self) -> bool:
        """Whether a packet that it matches goes no further."""
        return self.target in ("DROP", "REJECT")

    @property
    def where(self) -> str:
        """Its place in words, such as "filter/FORWARD rule 1"."""
        return f"{self.table}/{self.chain} rule {self.number}"

    def __str__(self) -> str:
        return f"{self.where} ({self.text})"


@dataclass(frozen=True)
class Policy:
    """A built-in chain's policy, ACCEPT or DROP, and how many packets it decided."""

    table: str
    chain: str
    target: str
    packets: int


@dataclass(frozen=True)
class Ruleset:
    """A node's tables. ``rules`` are in their order, ``policies`` by table and chain."""

    rules: tuple[CountedRule, ...] = ()
    policies: Mapping[tuple[str, str], Policy] = field(default_factory=dict)

    def chain(self, table: str, name: str) -> list[CountedRule]:
        """The rules of one chain."""
        return [rule for rule in self.rules if (rule.table, rule.chain) == (table, name)]

    def find(self, table: str, chain: str, text: str) -> CountedRule | None:
        """The rule of this text; texts are compared without the order of blanks."""
        sought = " ".join(text.split())
        return next(
            (rule for rule in self.chain(table, chain) if " ".join(rule.text.split()) == sought), None
        )

    def grown(self, before: Ruleset) -> Iterator[tuple[CountedRule, int]]:
        """The rules that counted packets since ``before``, with how many; new rules count from 0."""
        known: dict[tuple[str, str, str], list[int]] = {}
        for rule in before.rules:
            known.setdefault((rule.table, rule.chain, rule.text), []).append(rule.packets)
        for rule in self.rules:
            same = known.get((rule.table, rule.chain, rule.text))
            more = rule.packets - (same.pop(0) if same else 0)
            if more > 0:
                yield rule, more

    def dropped_by_policy(self, before: Ruleset) -> Iterator[tuple[Policy, int]]:
        """The built-in chains that dropped packets by their policy since ``before``, with how many."""
        for key, policy in self.policies.items():
            was = before.policies.get(key)
            more = policy.packets - (was.packets if was else 0)
            if policy.target == "DROP" and more > 0:
                yield policy, more


def read_ruleset(text: str) -> Ruleset:
    """The tables in ``iptables-save -c``'s output; lines of another form are passed over. Never raises."""
    rules: list[CountedRule] = []
    policies: dict[tuple[str, str], Policy] = {}
    table, numbers = "", dict[str, int]()
    for line in text.splitlines():
        if line.startswith("*"):
            table, numbers = line[1:].strip(), {}
        elif found := _CHAIN.fullmatch(line.strip()):
            chain, target, packets = found.groups()
            if target != "-":
                policies[table, chain] = Policy(table, chain, target, int(packets))
        elif found := _RULE.fullmatch(line.strip()):
            packets, chain, rule = found.groups()
            numbers[chain] = numbers.get(chain, 0) + 1
            rules.append(CountedRule(table, chain, numbers[chain], rule, int(packets)))
    return Ruleset(tuple(rules), policies)
