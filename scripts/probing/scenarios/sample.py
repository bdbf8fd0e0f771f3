"""Requests to a Service until it is decided whether their shares are those of the rules (claim S2)."""

from __future__ import annotations

from labs import model
from scripts.probing import curl
from scripts.probing.observation import Observation
from scripts.probing.scenarios.stage import Stage, play
from scripts.probing.sequential import SequentialTest
from scripts.probing.verdict import Failure, inconclusive

ROUND = 150
"""Requests of one exec: three fair Pods are mostly decided upon within one or two."""
ROUNDS = 12


@play.register
def _(ask: model.Sample, stage: Stage) -> Observation:
    place, target = stage.step.place, stage.target
    if problem := stage.before.problem([place.node]):
        return Observation(stage.step, stage.view, lost=inconclusive(Failure.NO_EVIDENCE, problem))
    key = target.key
    entry = stage.before.nodes[place.node].rules.entries.get(key)
    pods = {pod.ip: pod.name for pod in stage.view.snapshot.pods}
    if entry is None or len(entry.backends) < 2:
        count = len(entry.backends) if entry else "no"
        why = f"{place.node} has {count} backends for {key}: nothing to balance"
        return Observation(stage.step, stage.view, lost=inconclusive(Failure.NOT_BALANCED, why))
    shares = {pods.get(backend.ip, backend.ip): float(backend.share) for backend in entry.backends}
    rates = next(expected for expected in stage.step.probe.expect if isinstance(expected, model.FollowsRules))
    test = SequentialTest(shares, rates.false_alarm, rates.miss, rates.effect)
    answers: list[curl.Answer] = []
    for _ in range(ROUNDS):
        fresh = stage.burst(ROUND, ask.path)
        answers += fresh
        for answer in fresh:
            test.add(_responder(answer))
        if test.decision:
            break
    facts = {
        "asked": test.asked,
        "decision": test.decision,
        "told": test.told(),
        "rule": str(shares),
        "shares": entry.shares,
    }
    return Observation(stage.step, stage.view, answers=tuple(answers[: test.asked]), facts=facts)


def _responder(answer: curl.Answer) -> str:
    """Who answered this very request; whatever else came back is a category of its own."""
    if answer.exitcode:
        return f"curl exit {answer.exitcode} ({answer.error})"
    if answer.server.get(model.HEADER_NONCE) != answer.nonce:
        return "an answer to another request"
    return answer.server.get(model.HEADER_POD, "somebody without an identity")
