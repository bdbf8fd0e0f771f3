"""A Service loses all its endpoints, and what stands on it fails (claim I11)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labs import model
from scripts.probing import curl
from scripts.probing.observation import Observation
from scripts.probing.scenarios.stage import Stage, play
from scripts.waiting import TIMEOUTS, Late, eventually

NOBODY = "podpath-nobody"


@contextmanager
def deserted(stage: Stage, lab: str, service: str) -> Iterator[None]:
    """While the block runs the Service selects nobody; after it, whom it selected before."""
    path = f"/api/v1/namespaces/{stage.view.namespace(lab)}/services/{service}"
    try:
        stage.api.patch(path, {"spec": {"selector": {"app": NOBODY}}})
        yield
    finally:
        stage.api.patch(path, {"spec": {"selector": {"app": service}}})


def _settled(stage: Stage, lab: str, service: str) -> None:
    """Gives the Service back whom an interrupted run took from it."""
    path = f"/api/v1/namespaces/{stage.view.namespace(lab)}/services/{service}"
    if stage.api.get(path)["spec"]["selector"].get("app") == NOBODY:
        stage.api.patch(path, {"spec": {"selector": {"app": service}}})


@play.register
def _(ask: model.Disconnect, stage: Stage) -> Observation:
    facts: dict[str, Any] = {}
    answers: list[curl.Answer] = []

    def asked(good: bool, what: str) -> curl.Answer:
        answer = eventually(lambda: _one(stage, ask.path, good), TIMEOUTS.follow, what)
        answers.append(answer)
        return answer

    try:
        _settled(stage, ask.lab, ask.service)
        facts["status before"] = asked(True, "the URL to answer at first").status
        with deserted(stage, ask.lab, ask.service):
            eventually(
                lambda: not any(e.ready for e in stage.endpoints(ask.lab, ask.service)),
                TIMEOUTS.follow,
                f"the endpoints of {ask.service} to be gone",
            )
            without = asked(False, "the URL to fail without endpoints")
            facts["status without"] = without.status
            facts["backend without"] = without.server.get(model.HEADER_POD, "")
        facts["status after"] = asked(True, "the URL to answer again").status
    except Late as late:
        facts["problem"] = str(late)
    return Observation(stage.step, stage.view, answers=tuple(answers), facts=facts)


def _one(stage: Stage, path: str, good: bool) -> curl.Answer | None:
    """An answer with status 200, or with another one."""
    answers = [answer for answer in stage.burst(1, path) if not answer.exitcode]
    return next((answer for answer in answers if (answer.status == 200) is good), None)
