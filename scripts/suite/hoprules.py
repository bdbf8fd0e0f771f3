"""The rules that a packet met, put beside the hops of its trace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from scripts.ends import parted
from scripts.evidence.rules import Rules, ServiceKey
from scripts.evidence.ruletrace import MetRule, Passage
from scripts.evidence.trace import Way
from scripts.runs.document import ChoiceRecord, HopRecord, RuleRecord, TraceRecord

NO_RULES = Rules()
_BEFORE_ROUTING = "prerouting"
_KEPT = "--rcheck"
"""What a rule of iptables says that sends a client where it was sent before (sessionAffinity)."""


def with_rules(
    trace: TraceRecord, passages: Iterable[Passage], rules: Mapping[str, Rules] | None = None
) -> TraceRecord:
    """The trace with the rules that its connections' first packets met, at the hops that follow them.

    The first packet alone meets the nat table: a request's SYN, and the SYN-ACK that answers it. ``rules``
    are kube-proxy's by node: they say among how many Pods one was chosen.
    """
    found: dict[int, list[RuleRecord]] = {}
    rewrote: dict[int, str] = {}
    every = [*passages]
    for node, way, leg in dict.fromkeys((hop.node, hop.way, hop.leg) for hop in trace.hops):
        known = (rules or {}).get(node, NO_RULES)
        here = [
            (n, hop) for n, hop in enumerate(trace.hops) if (hop.node, hop.way, hop.leg) == (node, way, leg)
        ]
        met = set[tuple[object, ...]]()
        for passage in _of(trace, every, node, way, leg):
            if (same := (passage.table, passage.chain, passage.rules)) in met:
                continue  # it was sent again
            met.add(same)
            n = _after(passage, here)
            found.setdefault(n, []).extend(_records(passage, known))
            rewrote[n] = next((rule.text for rule in passage.rules if rule.rewrites), rewrote.get(n, ""))
    hops = [
        hop.model_copy(update={"rules": found[n], "rule": rewrote[n]}) if n in found else hop
        for n, hop in enumerate(trace.hops)
    ]
    return trace.model_copy(update={"hops": hops})


def rule_record(rule: MetRule, decided: bool, choice: ChoiceRecord | None = None) -> RuleRecord:
    """A rule as a run's document has it."""
    return RuleRecord(
        table=rule.table,
        chain=rule.chain,
        text=rule.text,
        verdict=rule.verdict,
        decided=decided,
        choice=choice,
    )


def _of(trace: TraceRecord, passages: Iterable[Passage], node: str, way: Way, leg: int) -> Iterator[Passage]:
    """The passages on a node that belong to a connection: its client's port tells it from all others."""
    hops = [hop for hop in trace.hops if hop.leg == leg]
    clients = {hop.source if hop.way == "request" else hop.destination for hop in hops}
    for passage in passages:
        client = passage.source if way == "request" else passage.destination
        fits = passage.opens if way == "request" else passage.answers
        if fits and passage.node == node and client in clients:
            yield passage


def _after(passage: Passage, hops: Sequence[tuple[int, HopRecord]]) -> int:
    """The hop of the node at which what a chain did shows: where it rewrote, or where the packet leaves.

    The last one where it did not leave. Bridged packets may meet the first chains before their bridge is
    seen, and do so unseen where nothing was rewritten.
    """
    if passage.hook == _BEFORE_ROUTING:
        for n, hop in hops:
            if "DNAT" in hop.changed:
                return n
    return next((n for n, hop in hops if hop.direction == "out"), hops[-1][0])


def _records(passage: Passage, rules: Rules) -> Iterator[RuleRecord]:
    decisive = passage.decisive
    for rule in passage.rules:
        if rule.text or rule.ends:
            choice = _choice(passage, rules) if rule.rewrites and rule in decisive else None
            yield rule_record(rule, rule in decisive, choice)


def _choice(passage: Passage, rules: Rules) -> ChoiceRecord | None:
    """Which of a Service's Pods a packet was sent to, by the rule that named its address."""
    ip, port = parted(passage.destination)
    last = passage.decisive[-1]
    for key in (ServiceKey(ip, int(port), "tcp"), ServiceKey("", int(port), "tcp")):
        backends = rules.entries[key].backends if key in rules.entries else ()
        for number, backend in enumerate(backends, 1):
            if backend.address in last.text.split():
                kept = any(_KEPT in rule.text for rule in passage.decisive)
                share = None if kept else float(backend.share)
                return ChoiceRecord(number=number, of=len(backends), share=share)
    return None
