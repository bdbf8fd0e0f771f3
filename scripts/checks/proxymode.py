"""Which modes this version of kube-proxy accepts, and which is in force (claim S9)."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.checks.base import Check, Command, Observation, Work
from scripts.checks.verdict import PASSED, Failure, Finding, combined, failed, inconclusive, passed, skipped
from scripts.evidence.nodeview import PROXY_MODE
from scripts.evidence.view import View
from scripts.transport.executor import Place

KERNEL_MODES = {"ipvs": "/proc/net/ip_vs"}
"""Modes of kube-proxy that need more from the kernel than netfilter, and what shows that it is there."""


@dataclass(frozen=True)
class ProxyMode(Check):
    """Whether this kube-proxy accepts a mode; ``control`` is a mode that it must accept.

    ``accepted`` False: it is refused as unknown. ``in_force``: kube-proxy says on every node that it runs in
    one of these modes, and the node's rules are of that kind.
    """

    mode: str
    accepted: bool = True
    in_force: tuple[str, ...] = ()
    control: str = "iptables"

    def __str__(self) -> str:
        return f"whether it accepts the mode {self.mode}"

    @property
    def expected(self) -> str:
        """Accepted or refused, and which mode is in force."""
        said = [f"{' or '.join(self.in_force)}, by its own word and by the node's rules"]
        accepted = "accepted" if self.accepted else "refused, as no mode of this version"
        return ", ".join([*(said if self.in_force else []), accepted])

    def work(self, probe: str, place: Place, view: View) -> Work:
        """kube-proxy checks its settings and writes them to /dev/null, but does not start."""
        tries = tuple(
            Command(
                place,
                key,
                ("/usr/local/bin/kube-proxy", f"--proxy-mode={mode}", "--write-config-to=/dev/null"),
            )
            for key, mode in (("mode", self.mode), ("control", self.control))
        )
        if self.mode not in KERNEL_MODES:
            return Work(commands=tries)
        look = ("test", "-e", KERNEL_MODES[self.mode])
        return Work(commands=(Command(view.agent(place.node), "kernel", look), *tries))

    def judge(self, seen: Observation) -> Finding:
        """What is in force, and what is accepted."""
        return combined([*([self._in_force(seen)] if self.in_force else []), self._acceptance(seen)])

    def _in_force(self, seen: Observation) -> Finding:
        nodes = [node.name for node in seen.view.snapshot.nodes]
        if problem := seen.kernel.problem(nodes, "rules"):
            return inconclusive(Failure.NO_EVIDENCE, f"not every node could be asked: {problem}")
        for node in nodes:
            view = seen.kernel.nodes[node]
            if view.proxy_silent:
                why = f"kube-proxy on {node} does not answer at {PROXY_MODE}: its rules fall behind"
                return failed(Failure.NO_ANSWER, why)
            if not view.proxy_mode:
                return inconclusive(Failure.NO_EVIDENCE, f"kube-proxy on {node} does not say its mode")
            if view.proxy_mode != view.rules.mode:
                contradiction = (
                    f"kube-proxy on {node} says {view.proxy_mode}, the rules there are of {view.rules.mode}"
                )
                return failed(Failure.WRONG_MODE, contradiction)
            if view.proxy_mode not in self.in_force:
                return failed(Failure.WRONG_MODE, f"kube-proxy on {node} runs in mode {view.proxy_mode}")
        return passed(", ".join(f"{seen.kernel.nodes[node].proxy_mode} on {node}" for node in nodes))

    def _acceptance(self, seen: Observation) -> Finding:
        mode, control, kernel = (seen.outputs.get(key) for key in ("mode", "control", "kernel"))
        assert mode and control, "both are commands of every such check"
        if kernel and kernel.returncode:
            return skipped(f"this kernel has no {self.mode}: kube-proxy could not run in that mode here")
        if control.returncode:
            said = control.text.strip().splitlines()[-1:] or ["nothing"]
            return inconclusive(Failure.CONTROL_FAILED, f"even {self.control} is refused: {said[0]}")
        text = mode.text.strip()[-200:]
        if (mode.returncode == 0) == self.accepted:
            if self.accepted or self.mode in mode.text:
                return PASSED
            return inconclusive(Failure.NO_ANSWER, f"kube-proxy failed for another reason: {text}")
        verb = "accepts" if mode.returncode == 0 else "refuses"
        return failed(Failure.WRONG_MODE, f"kube-proxy {verb} the mode {self.mode}: {text or 'no error'}")
