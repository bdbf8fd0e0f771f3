"""What every report says about a red or open probe: labels and texts, in the order in which they are read."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.checks.verdict import Failure
from scripts.reporting.signs import many
from scripts.runs.document import CauseRecord, ProbeRecord, ReplayRecord


@dataclass(frozen=True)
class Fact:
    """A label and what is told under it; ``command``: it is to be pasted, so it stays in one line."""

    label: str
    text: str
    command: bool = False


def facts_of(probe: ProbeRecord, cause: CauseRecord | None = None) -> list[Fact]:
    """A probe's facts: its cause, what was asked, expected and seen, its last hop, what to type."""
    asked, expected = asked_and_expected(probe.sentence)
    view, evidence = disagreement(probe)
    why = probe.why or str(probe.verdict)
    seen = {"": "seen", "API": "API says"}.get(view, f"{view} saw")
    facts = [
        Fact("cause", cause.what if cause else ""),
        Fact("asked", asked),
        Fact("expected", expected),
        Fact(seen, why),
        Fact("", evidence if evidence not in why else ""),
        *(Fact("missing", f"the {gap} view: {of}") for gap, of in probe.receipt.gaps.items() if of != why),
        *_replayed(probe),
        Fact("by hand", probe.command, command=True),
        Fact("look", cause.look if cause else "", command=True),
        Fact("mend", cause.mend if cause else "", command=True),
    ]
    return [fact for fact in facts if fact.text]


def _replayed(probe: ProbeRecord) -> list[Fact]:
    """What asking once more has shown: whether it is answered now, its last hop, the rule that ended it."""
    replay = probe.receipt.replay
    if replay is None:
        return []
    again = "answered when asked once more: the first time it was lost, not blocked" if replay.passes else ""
    rules = [
        f"{rule.table}/{rule.chain}: {rule.text or 'its policy'} → {rule.verdict}" for rule in replay.ended
    ]
    told = [Fact("again", again), Fact("last hop", replay.last), *(Fact("rule", rule) for rule in rules)]
    return [*told, Fact("dropped", dropped(replay))]


def dropped(replay: ReplayRecord) -> str:
    """The kernel's own reasons for dropping packets, in words; empty where there are none."""
    return "; ".join(
        f"{many(one.packets, 'packet')}: {one.reason} in {one.function}" for one in replay.dropped
    )


def asked_and_expected(sentence: str) -> tuple[str, str]:
    """A probe's sentence in its two halves: who asks what, and what is expected."""
    asked, _, expected = sentence.partition(": ")
    return asked, expected


VIEWS: dict[str, frozenset[Failure]] = {
    "server": frozenset(
        (Failure.WRONG_RESPONDER, Failure.WRONG_SOURCE, Failure.WRONG_NONCE, Failure.NOT_BALANCED)
    ),
    "kernel": frozenset(
        (
            *(Failure.NAT_FOUND, Failure.NO_TRANSLATION, Failure.WRONG_PATH, Failure.WRONG_SHARE),
            *(Failure.WRONG_MODE, Failure.TABLES_DIFFER, Failure.RULES_CHANGED, Failure.NOT_FOLLOWED),
            *(Failure.NO_VETH, Failure.NO_BRIDGE),
        )
    ),
    "API": frozenset(
        (
            *(Failure.POD_REPLACED, Failure.NOT_REPLACED, Failure.ENDPOINTS_CHANGED),
            *(Failure.MISSING_PEER, Failure.NODE_DOWN, Failure.NO_VARIABLES),
        )
    ),
}
"""The failure classes that a view other than the client's shows first."""
NONE = frozenset((Failure.CONTROL_FAILED, Failure.RESTS_ON, Failure.NO_JUDGE))
"""The failure classes of which no view says anything."""


def disagreement(probe: ProbeRecord) -> tuple[str, str]:
    """The first view of a receipt that disagrees with what was expected, and what it says (may be empty)."""
    if probe.failure is None or probe.failure in NONE:
        return "", ""
    view = next((name for name, classes in VIEWS.items() if probe.failure in classes), "client")
    return view, _SAYS[view](probe) if view in _SAYS else ""


def _server(probe: ProbeRecord) -> str:
    for told in probe.receipt.server:
        who = "/".join(told[name] for name in ("X-Podpath-Pod", "X-Podpath-Container") if name in told)
        where = f" on {told['X-Podpath-Node']}" if "X-Podpath-Node" in told else ""
        saw = f" was asked by {told['X-Podpath-Peer']}" if "X-Podpath-Peer" in told else " answered"
        if who:
            return f"{who}{where}{saw}"
    return ""


def _kernel(probe: ProbeRecord) -> str:
    return " ".join(probe.receipt.kernel[0].split()) if probe.receipt.kernel else ""


def _api(probe: ProbeRecord) -> str:
    told = probe.receipt.api
    return "; ".join(f"{name} {told[name]}" for name in ("service", "pod", "endpoints") if told.get(name))


_SAYS = {"server": _server, "kernel": _kernel, "API": _api}
