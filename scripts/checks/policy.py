"""Whether anything here enforces NetworkPolicies: judged as observed, with a control (claim K8)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from scripts.checks.base import Check, Observation, Work, requests_to
from scripts.checks.destinations import Pod
from scripts.checks.request import echoed, failure_of, succeeded
from scripts.checks.verdict import Failure, Finding, inconclusive, passed
from scripts.evidence.view import View
from scripts.transport.executor import Place

ENGINES = {
    "antrea-agent": "Antrea",
    "calico-node": "Calico",
    "canal": "Canal",
    "cilium": "Cilium",
    "kindnet": "kindnet",
    "kube-network-policies": "kube-network-policies",
    "kube-router": "kube-router",
    "ovnkube-node": "OVN-Kubernetes",
    "weave-net": "Weave Net",
}
"""Policy engines by the name that a label of their Pods gives (k8s-app, app, component or name)."""
NAMED_BY = ("k8s-app", "app", "app.kubernetes.io/name", "component", "name")
PATIENCE = 3.0
"""Seconds for a request: a policy mostly drops packets silently."""


@dataclass(frozen=True)
class Guarded(Check):
    """A Pod that a NetworkPolicy closes to this client, and as control one that none selects."""

    to: Pod
    control: Pod

    def __str__(self) -> str:
        return f"{self.to}, which a NetworkPolicy closes, and {self.control}, which none does"

    @property
    def expected(self) -> str:
        """Either way, as it is."""
        return "the policy holds, or nothing here enforces it"

    def work(self, probe: str, place: Place, view: View) -> Work:
        """A request to each."""
        guarded = self.to.target(place, view)
        asked = requests_to(guarded, probe, "/whoami", total=PATIENCE)
        control = requests_to(self.control.target(place, view), probe, "/whoami", total=PATIENCE)
        return Work((*asked, *control), target=guarded)

    def judge(self, seen: Observation) -> Finding:
        """Silence proves something only if the control answers."""
        guarded, control = seen.answers
        work = replace(seen.step.work, target=self.control.target(seen.step.place, seen.view))
        beside = replace(seen, step=replace(seen.step, work=work))
        if unheard := succeeded(beside, control) or echoed(control):
            why = f"not even {self.control} answers, which no policy closes: {unheard.why}"
            return inconclusive(Failure.CONTROL_FAILED, why)
        if not guarded.connected:
            who = engine(seen.view)
            by = f"enforced by {who}" if who else "by whom its Pods do not tell"
            return passed(f"the policy holds ({by}): {failure_of(seen, guarded).why}")
        if strange := succeeded(seen, guarded) or echoed(guarded):
            return inconclusive(Failure.NO_EVIDENCE, f"a policy would allow no connection: {strange.why}")
        idle = f", although {who} runs" if (who := engine(seen.view)) else ""
        why = f"nothing here enforces NetworkPolicies{idle}: {self.to} answered although one closes it"
        return passed(why)


def engine(view: View) -> str:
    """The policy engine that runs on the cluster's nodes, by its Pods' labels, or an empty text."""
    names = {pod.labels.get(label, "") for pod in view.snapshot.pods for label in NAMED_BY}
    return ", ".join(ENGINES[name] for name in sorted(names & ENGINES.keys()))
