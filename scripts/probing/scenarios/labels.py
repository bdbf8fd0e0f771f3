"""A spare Pod gets the label that a Service selects, and loses it: who follows, and how fast (S3, S5)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from labs import model
from scripts.errors import PodpathError
from scripts.probing import background
from scripts.probing.observation import Observation
from scripts.probing.places import agents
from scripts.probing.scenarios.stage import SURE, Stage, absent, by_pod, play
from scripts.probing.snapshot import PodInfo
from scripts.probing.verdict import Failure, inconclusive
from scripts.waiting import TIMEOUTS, Late, eventually

LABEL = "app"
WATCH = """\
state=1
while :; do
    now=$($2 2>/dev/null | grep -cwF "$1")
    [ "$now" = 0 ] || now=1
    [ "$now" = "$state" ] || { state=$now; echo "$(date +%s%N) $now"; }
    sleep 0.02
done
"""
"""Prints "<nanoseconds since 1970> 0" once no rule is for an address, "… 1" when one appears, and so on.

Between two looks it leaves the processors to the kube-proxy that it watches.
"""
LISTINGS = {"iptables": "iptables-save -t nat", "nftables": "nft list table ip kube-proxy"}
ASK = """\
while :; do
    begun=$(date +%s%N)
    pod=$(curl -q -s --noproxy '*' -o /dev/null --max-time 2 -w '%header{x-podpath-pod}' "$1")
    echo "$begun $(date +%s%N) ${pod:--}"
done
"""
"""Prints "<begun> <ended> <Pod that answered>" for one request after the other."""


class Unwatchable(PodpathError):
    """A node's rules are of a kind, or in a state, that no watch reads."""


@contextmanager
def member(stage: Stage, pod: PodInfo, service: str) -> Iterator[None]:
    """While the block runs the Pod has the Service's label, after it no more, whatever ended the block."""
    try:
        change_label(stage, pod, service)
        yield
    finally:
        change_label(stage, pod, pod.labels[LABEL])


def change_label(stage: Stage, pod: PodInfo, value: str) -> None:
    """Gives the Pod's label ``app`` a value."""
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"
    stage.api.patch(path, {"metadata": {"labels": {LABEL: value}}})


def spare_of(stage: Stage, lab: str, name: str) -> PodInfo:
    """The spare Pod, outside the Service: a label that an interrupted run left is taken away."""
    pod = stage.view.pods(lab, name)[0]
    labels = {**pod.labels, LABEL: name}
    spare = PodInfo(**{**pod.__dict__, "labels": labels})
    if pod.labels[LABEL] != name:
        change_label(stage, spare, name)
    return spare


def listed(stage: Stage, lab: str, service: str, pod: PodInfo, ready: bool) -> None:
    """Returns once the Pod is, or is no longer, among the Service's ready endpoints."""
    state = "among" if ready else "gone from"
    eventually(
        lambda: any(e.ip == pod.ip and e.ready for e in stage.endpoints(lab, service)) is ready,
        TIMEOUTS.follow,
        f"{pod.name} to be {state} the endpoints of {service}",
    )


@play.register
def _(ask: model.Relabel, stage: Stage) -> Observation:
    pod = spare_of(stage, ask.lab, ask.spare)
    facts: dict[str, Any] = {"Pod": f"{pod.name} {pod.ip}"}
    try:
        listed(stage, ask.lab, ask.service, pod, False)
        answers = stage.burst()
        facts["answers before"] = by_pod(answers, pod.name)
        with member(stage, pod, ask.service):
            listed(stage, ask.lab, ask.service, pod, True)
            within = eventually(
                lambda: by_pod(stage.burst(), pod.name), TIMEOUTS.follow, f"an answer of {pod.name}"
            )
            facts["answers within"] = within
        listed(stage, ask.lab, ask.service, pod, False)
        eventually(
            lambda: absent(stage.burst(SURE), pod.name), TIMEOUTS.follow, f"{pod.name} to answer no more"
        )
        answers = stage.burst()
        facts["answers after"] = by_pod(answers, pod.name)
    except Late as late:
        facts["problem"] = str(late)
        answers = ()
    return Observation(stage.step, stage.view, answers=answers, facts=facts)


@play.register
def _(ask: model.Converge, stage: Stage) -> Observation:
    pod = spare_of(stage, ask.lab, ask.spare)
    facts: dict[str, Any] = {"Pod": f"{pod.name} {pod.ip}"}
    try:
        listed(stage, ask.lab, ask.service, pod, False)
        facts |= _watched(ask, stage, pod)
    except Unwatchable as why:
        return Observation(stage.step, stage.view, lost=inconclusive(Failure.NO_EVIDENCE, str(why)))
    except Late as late:
        facts["problem"] = str(late)
    return Observation(stage.step, stage.view, facts=facts)


def _watched(ask: model.Converge, stage: Stage, pod: PodInfo) -> dict[str, Any]:
    """The delays of both changes in milliseconds; the clocks of kind's nodes are one."""
    places = agents(stage.view)
    modes = {node: stage.before.nodes[node].rules.mode for node in places}
    strange = [node for node, mode in modes.items() if mode not in LISTINGS]
    if strange:
        raise Unwatchable(f"kube-proxy's rules on {strange[0]} cannot be watched (mode {modes[strange[0]]}).")

    def watch(node: str) -> background.Background:
        argv = ["sh", "-c", WATCH, "sh", pod.ip, LISTINGS[modes[node]]]
        return background.start(stage.execute, places[node], argv, "0$")

    with ThreadPoolExecutor(len(places) + 1) as threads:
        watches = dict(zip(places, threads.map(watch, places), strict=True))
        asking = ["sh", "-c", ASK, "sh", stage.target.url("http", "/whoami")]
        client = background.start(stage.execute, stage.step.place, asking, " ")
        try:
            joined = time.time_ns()
            with member(stage, pod, ask.service):
                _all(watches, threads, 2, "every node's rules to have the Pod")
                eventually(
                    lambda: f" {pod.name}\n".encode() in client.peek(),
                    TIMEOUTS.follow,
                    "an answer of the Pod",
                )
                left = time.time_ns()
            _all(watches, threads, 3, "every node's rules to have forgotten the Pod")
        finally:
            stopped = [*threads.map(lambda one: one.stop(), [*watches.values(), client])]
    told = {node: _times(done.stdout) for node, done in zip(watches, stopped, strict=False)}
    answers = [line.split() for line in stopped[-1].stdout.decode().splitlines() if line.count(" ") == 2]
    wrong = [int(begun) for begun, _, who in answers if who == pod.name and int(begun) > left]
    right = [int(ended) for _, ended, who in answers if who == pod.name]
    return {
        "rule there after ms": {node: _ms(times[1], joined) for node, times in told.items()},
        "first answer after ms": _ms(min(right), joined),
        "rule gone after ms": {node: _ms(times[2], left) for node, times in told.items()},
        "last wrong answer after ms": _ms(max(wrong), left) if wrong else None,
        "requests": len(answers),
    }


def _all(
    watches: Mapping[str, background.Background], threads: ThreadPoolExecutor, states: int, what: str
) -> None:
    """Returns once every watch has printed so many states."""
    look: Callable[[background.Background], bool] = lambda one: one.peek().count(b"\n") >= states  # noqa: E731
    eventually(lambda: all(threads.map(look, watches.values())), TIMEOUTS.follow, what)


def _times(printed: bytes) -> list[int]:
    return [int(line.split()[0]) for line in printed.decode().splitlines()]


def _ms(at: int, since: int) -> float:
    return round((at - since) / 1e6, 1)
