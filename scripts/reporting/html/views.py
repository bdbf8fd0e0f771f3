"""The four views of a receipt side by side: what each says of the same thing, and where they disagree."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from scripts.checks.verdict import Verdict
from scripts.reporting.html.seen import CONTAINER, NODE, NONCE, PEER, POD, Seen
from scripts.runs.document import ProbeRecord

VIEWS = ("client", "server", "kernel", "api")
HEADINGS = {"client": "Client", "server": "Server", "kernel": "Kernel", "api": "API"}
LONGEST = 1200
"""Characters of a program's output or a kernel's counters that are shown; the raw receipt has all."""


class Match(StrEnum):
    """What comparing the views of one fact says."""

    ALONE = ""
    AGREE = "agree"
    TRANSLATED = "translated"
    DIFFER = "differ, as expected"
    DISAGREE = "disagree"


@dataclass(frozen=True)
class Fact:
    """One thing in the words of each of ``VIEWS``; a view that says nothing of it has an empty text."""

    name: str
    client: str = ""
    server: str = ""
    kernel: str = ""
    api: str = ""
    match: Match = Match.ALONE
    wide: bool = False
    """It has many lines, and nothing to compare: it stands below the others."""

    @property
    def cells(self) -> tuple[tuple[str, str], ...]:
        """Heading and text of each view."""
        return tuple((HEADINGS[view], getattr(self, view)) for view in VIEWS)


def facts_of(probe: ProbeRecord, seen: Seen) -> list[Fact]:
    """The facts about a probe that at least one view tells."""
    facts = [_source(probe, seen), _destination(probe, seen), _responder(probe, seen), _request(seen)]
    facts += [_many(probe), _printed(probe), _rest(probe)]
    return [fact for fact in facts if any(text for _, text in fact.cells)]


def _source(probe: ProbeRecord, seen: Seen) -> Fact:
    peer = seen.server.get(PEER, "")
    kernel = ""
    if seen.tracked:
        first, last = seen.tracked[0], seen.tracked[-1]
        kernel = first.source + (f" → {last.new_source}" if last.new_source != first.source else "")
    begin = seen.begin
    api = f"{begin.name} {begin.ip}".strip()
    match = Match.ALONE
    if seen.source and peer:
        if seen.source == peer:
            match = Match.AGREE
        elif seen.tracked and seen.tracked[-1].new_source == peer:
            match = Match.TRANSLATED
        else:
            match = _unexplained(probe)
    return Fact("source", seen.source, peer, kernel, api, match)


def _destination(probe: ProbeRecord, seen: Seen) -> Fact:
    api = probe.receipt.api
    wanted = str(api.get("service") or _without_uid(api.get("pod", "")))
    kernel = ""
    if seen.tracked:
        first, last = seen.tracked[0], seen.tracked[-1]
        went = last.new_destination
        kernel = first.destination + (f" → {went}" if went != first.destination else "")
    return Fact("destination", seen.destination, "", kernel, wanted)


def _responder(probe: ProbeRecord, seen: Seen) -> Fact:
    server, api = seen.server, probe.receipt.api
    name = "/".join(filter(None, (server.get(POD, ""), server.get(CONTAINER))))
    where = f" on {server[NODE]}" if NODE in server else ""
    ends = [str(one) for one in api.get("endpoints") or ()]
    wanted = ends or ([_without_uid(api["pod"])] if api.get("pod") else [])
    kernel = seen.tracked[-1].new_destination if seen.tracked else ""
    match = Match.ALONE
    if server.get(POD) and wanted:
        known = any(one.split()[0] == server[POD] for one in wanted)
        match = Match.AGREE if known else _unexplained(probe)
    return Fact("answered by", seen.answer, f"{name}{where}" if name else "", kernel, "\n".join(ends), match)


def _request(seen: Seen) -> Fact:
    nonce, echoed = str(seen.client.get("nonce") or ""), seen.server.get(NONCE, "")
    if not (nonce and echoed):
        return Fact("request id", nonce, echoed)
    return Fact("request id", nonce, echoed, match=Match.AGREE if nonce == echoed else Match.DISAGREE)


def _many(probe: ProbeRecord) -> Fact:
    """Counts, where a probe sent several requests."""
    sent = [one for one in probe.receipt.client if "http_code" in one]
    if len(sent) < 2:
        return Fact("requests")
    failed = Counter(str(one.get("exitcode")) for one in sent if one.get("exitcode"))
    lost = "".join(f", {count} ended with curl exit {code}" for code, count in failed.items())
    pods = Counter(one.get(POD, "") for one in probe.receipt.server)
    tracked = sum(" src=" in line for line in probe.receipt.kernel)
    return Fact(
        "requests",
        f"{len(sent)} sent{lost}",
        "\n".join(f"{count} × {pod}" for pod, count in pods.most_common() if pod),
        f"{tracked} connections tracked" if tracked else "",
    )


def _printed(probe: ProbeRecord) -> Fact:
    """What programs printed, where a probe ran some."""
    ran = [one for one in probe.receipt.client if "output" in one]
    lines = [f"{one.get('command')} (exit {one.get('exitcode')}): {one['output']}" for one in ran]
    return Fact("printed", _short("\n".join(lines)), wide=True)


def _rest(probe: ProbeRecord) -> Fact:
    """What the kernels counted, and the facts about the cluster that the check rests on."""
    counted = [line for line in probe.receipt.kernel if " counted +" in line]
    shown = ("source", "service", "endpoints", "pod")
    facts = [
        f"{key.replace('_', ' ')}: {_flat(value)}"
        for key, value in probe.receipt.api.items()
        if key not in shown and value not in (None, "", [], {})
    ]
    return Fact("also says", "", "", _short("\n".join(counted)), _short("\n".join(facts)), wide=True)


def _unexplained(probe: ProbeRecord) -> Match:
    """A difference that no view explains; a probe that passed expected it."""
    return Match.DIFFER if probe.verdict is Verdict.PASSED else Match.DISAGREE


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_flat(one)}" for key, one in value.items())
    if isinstance(value, float):
        return f"{value:.3g}"
    return ", ".join(map(_flat, value)) if isinstance(value, list | tuple) else str(value)


def _without_uid(pod: object) -> str:
    return str(pod).partition(" (uid ")[0]


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST].rstrip()} …"
