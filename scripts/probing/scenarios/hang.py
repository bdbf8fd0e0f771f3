"""A Pod of a Service hangs: it accepts connections and answers none, with and without readiness (S7)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from labs import model
from scripts.probing import curl
from scripts.probing.executor import PodExecError
from scripts.probing.observation import Observation
from scripts.probing.places import Target, place_in
from scripts.probing.scenarios.labels import listed, member, spare_of
from scripts.probing.scenarios.stage import SURE, Stage, by_pod, play
from scripts.probing.snapshot import PodInfo
from scripts.waiting import TIMEOUTS, Late, eventually

SIGNAL = """\
for process in /proc/[0-9]*; do
    grep -aq '^nginx: worker' "$process/cmdline" 2>/dev/null || continue
    kill "-$1" "${process#/proc/}" && echo "$1"
done
"""
"""Stops or continues nginx's workers; the kernel goes on accepting connections for them."""
PATIENCE = 1.0
"""Seconds that a request to a Pod that may hang is given."""


@contextmanager
def hanging(stage: Stage, pod: PodInfo) -> Iterator[None]:
    """While the block runs the Pod's nginx hangs; after it, it answers again."""
    try:
        _signal(stage, pod, "STOP")
        yield
    finally:
        _signal(stage, pod, "CONT")


def _signal(stage: Stage, pod: PodInfo, name: str) -> None:
    place = place_in(pod, "nginx")
    done = stage.execute(place, ["sh", "-c", SIGNAL, "sh", name])
    if name.encode() not in done.stdout:
        raise PodExecError(f"no nginx worker of {place} could be sent SIG{name}")


@play.register
def _(ask: model.Hang, stage: Stage) -> Observation:
    pod = spare_of(stage, ask.lab, ask.spare)
    facts: dict[str, Any] = {"Pod": f"{pod.name} {pod.ip}"}
    answers: curl.Answers = ()
    try:
        _signal(stage, pod, "CONT")  # an interrupted run may have left it stopped
        listed(stage, ask.lab, ask.service, pod, False)
        with member(stage, pod, ask.service):
            listed(stage, ask.lab, ask.service, pod, True)
            eventually(lambda: by_pod(stage.burst(), pod.name), TIMEOUTS.follow, f"an answer of {pod.name}")
            behind = sum(endpoint.ready for endpoint in stage.endpoints(ask.lab, ask.service))
            with hanging(stage, pod):
                facts["hangs"] = _hangs(stage, pod, ask.port)
                if ask.ready:
                    listed(stage, ask.lab, ask.service, pod, False)
                    eventually(
                        lambda: _none_fails(stage.burst(SURE, total=PATIENCE)),
                        TIMEOUTS.follow,
                        "the client's node to send nothing to the Pod any more",
                    )
                answers = stage.burst(ask.times, total=PATIENCE)
    except Late as late:
        facts["problem"] = str(late)
    failures = [answer for answer in answers if answer.exitcode]
    facts["asked"], facts["share"] = len(answers), 0 if ask.ready or not answers else 1 / behind
    facts["failed"] = sum(answer.exitcode == 28 for answer in failures)
    facts["failed otherwise"] = len(failures) - facts["failed"]
    return Observation(stage.step, stage.view, answers=answers, facts=facts)


def _none_fails(answers: curl.Answers) -> bool:
    return bool(answers) and not any(answer.exitcode for answer in answers)


def _hangs(stage: Stage, pod: PodInfo, port: int) -> bool:
    """Whether the Pod itself, asked by its own IP, accepts a connection and then says nothing."""
    work = replace(stage.step.work, target=Target(pod.ip, port, (pod.ip,), pod=pod))
    (answer,) = replace(stage, step=replace(stage.step, work=work)).burst(1, total=PATIENCE) or (None,)
    return answer is not None and answer.exitcode == 28 and answer.connected
