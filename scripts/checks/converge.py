"""How fast every node's rules, and the answers, follow a Pod that joins and leaves a Service (claim S5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import ClassVar

from scripts.checks.base import Observation, Stage
from scripts.checks.delays import impossible, millis
from scripts.checks.membership import Joining, listed, member, spare_of
from scripts.checks.verdict import Failure, Finding, failed, inconclusive, passed
from scripts.evidence.snapshot import PodInfo
from scripts.tiers import Tier
from scripts.transport import background
from scripts.waiting import TIMEOUTS, Late, clock, eventually

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

Between two looks it sleeps, so that the kube-proxy that it watches gets the processors.
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


@dataclass(frozen=True)
class Delays:
    """In milliseconds since the API's event, by node where nodes differ; None: no wrong answer was seen."""

    pod: str
    rule_there_after_ms: Mapping[str, float] = field(default_factory=dict)
    first_answer_after_ms: float = 0
    rule_gone_after_ms: Mapping[str, float] = field(default_factory=dict)
    last_wrong_answer_after_ms: float | None = None
    requests: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Converge(Joining):
    """A Pod joins and leaves, watched on every node: when its rules, and the answers, have followed."""

    own_tier: ClassVar[Tier] = Tier.KERNEL

    def __str__(self) -> str:
        return f"Service {self.service} and each node's rules while Pod {self.spare} joins and leaves"

    @property
    def expected(self) -> str:
        """Every node's rules followed both changes; the delays are in the receipt."""
        return "every node's rules follow, and the last wrong answer is timed"

    def play(self, stage: Stage) -> Observation:
        """Watches every node while the Pod joins and leaves."""
        pod = spare_of(stage, self.lab, self.spare)
        who = f"{pod.name} {pod.ip}"
        modes = {node: stage.before.nodes[node].rules.mode for node in stage.view.agent_places()}
        strange = [node for node, mode in modes.items() if mode not in LISTINGS]
        if strange:
            why = f"kube-proxy's rules on {strange[0]} cannot be watched (mode {modes[strange[0]]})."
            return Observation(stage.step, stage.view, lost=inconclusive(Failure.NO_EVIDENCE, why))
        try:
            listed(stage, self.lab, self.service, pod, False)
            facts = self._watched(stage, pod, who, modes)
        except Late as late:
            facts = Delays(who, problem=str(late))
        return Observation(stage.step, stage.view, facts=facts)

    def judge(self, seen: Observation) -> Finding:
        """A delay that is negative, or longer than the scenario waited, shows that a clock jumped."""
        facts: Delays = seen.facts
        if facts.problem:
            return failed(Failure.NOT_FOLLOWED, facts.problem)
        wrong = facts.last_wrong_answer_after_ms
        delays = [*facts.rule_there_after_ms.values(), *facts.rule_gone_after_ms.values()]
        delays += [facts.first_answer_after_ms, *([] if wrong is None else [wrong])]
        if not seen.view.clocks and (jumped := impossible(delays, 2 * TIMEOUTS.follow)):
            return jumped
        silent = {node.name for node in seen.view.snapshot.nodes} - {*facts.rule_there_after_ms}
        if silent:
            why = f"no rules were watched on {', '.join(sorted(silent))}"
            return inconclusive(Failure.NO_EVIDENCE, why)
        if seen.view.clocks:
            return passed(f"every node's rules followed both changes; no delay is told: {seen.view.clocks}")
        there, gone = (max(of.values()) for of in (facts.rule_there_after_ms, facts.rule_gone_after_ms))
        return passed(
            f"the last node's rule was there after {there:.0f} ms and gone after {gone:.0f} ms; "
            f"first answer after {facts.first_answer_after_ms:.0f} ms, "
            + ("no wrong one seen" if wrong is None else f"last wrong one after {wrong:.0f} ms")
            + f" (of {facts.requests} requests)"
        )

    def _watched(self, stage: Stage, pod: PodInfo, who: str, modes: Mapping[str, str]) -> Delays:
        """The delays of both changes, by the clocks of the nodes and of this machine."""
        places = stage.view.agent_places()

        def watch(node: str) -> background.Background:
            argv = ["sh", "-c", WATCH, "sh", pod.ip, LISTINGS[modes[node]]]
            return background.start(stage.execute, places[node], argv, "0$")

        with ThreadPoolExecutor(len(places) + 1) as threads:
            watches = dict(zip(places, threads.map(watch, places), strict=True))
            asking = ["sh", "-c", ASK, "sh", stage.target.url("http", "/whoami")]
            client = background.start(stage.execute, stage.step.place, asking, " ")
            try:
                with member(stage, pod, self.service) as joined:
                    _all(watches, threads, 2, "every node's rules to include the Pod")
                    eventually(
                        lambda: f" {pod.name}\n".encode() in client.peek(),
                        TIMEOUTS.follow,
                        "an answer from the Pod",
                    )
                    left = clock().wall("leaves")
                _all(watches, threads, 3, "every node's rules to drop the Pod")
            finally:
                stopped = [*threads.map(lambda one: one.stop(), [*watches.values(), client])]
        times_by_node = {node: _times(done.stdout) for node, done in zip(watches, stopped, strict=False)}
        answers = [line.split() for line in stopped[-1].stdout.decode().splitlines() if line.count(" ") == 2]
        wrong = [int(begun) for begun, _, who in answers if who == pod.name and int(begun) > left]
        right = [int(ended) for _, ended, who in answers if who == pod.name]
        return Delays(
            who,
            {node: millis(times[1], joined) for node, times in times_by_node.items()},
            millis(min(right), joined),
            {node: millis(times[2], left) for node, times in times_by_node.items()},
            millis(max(wrong), left) if wrong else None,
            len(answers),
        )


def _all(
    watches: Mapping[str, background.Background], threads: ThreadPoolExecutor, states: int, what: str
) -> None:
    """Returns once every watch has printed this many states; raises Late."""
    look: Callable[[background.Background], bool] = lambda one: one.peek().count(b"\n") >= states  # noqa: E731
    eventually(lambda: all(threads.map(look, watches.values())), TIMEOUTS.follow, what)


def _times(printed: bytes) -> list[int]:
    return [int(line.split()[0]) for line in printed.decode().splitlines()]
