"""Who enforces NetworkPolicies on a cluster's nodes, and which of netfilter's chains are its own.

An engine is known by a label of its Pods. Not every engine denies by rules of netfilter's: what another one
denies is seen in no rule trace, and is known by the client alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scripts.evidence.ruletrace import MetRule, Passage
from scripts.evidence.view import View


@dataclass(frozen=True)
class Engine:
    """A policy engine. ``chains`` is how the names of its chains begin; none where it has no such chains.

    ``sure``: it enforces policies in every version and setting.
    """

    name: str
    chains: tuple[str, ...] = ()
    sure: bool = True


ENGINES: Mapping[str, Engine] = {
    "antrea-agent": Engine("Antrea"),
    "calico-node": Engine("Calico", ("cali-",)),
    "canal": Engine("Canal", ("cali-",)),
    "cilium": Engine("Cilium"),
    "kindnet": Engine("kindnet", sure=False),
    "kube-network-policies": Engine("kube-network-policies"),
    "kube-router": Engine("kube-router", ("KUBE-POD-FW-", "KUBE-NWPLCY-")),
    "ovnkube-node": Engine("OVN-Kubernetes"),
    "weave-net": Engine("Weave Net", ("WEAVE-NPC",)),
}
"""By the name that a label of their Pods gives."""
NAMED_BY = ("k8s-app", "app", "app.kubernetes.io/name", "component", "name")
"""The labels that name an engine."""


def engines(view: View) -> list[Engine]:
    """The policy engines that run in the cluster, by the names of their labels."""
    names = {pod.labels.get(label, "") for pod in view.snapshot.pods for label in NAMED_BY}
    return [ENGINES[name] for name in sorted(names & ENGINES.keys())]


def engine(view: View) -> str:
    """Their names in words; an empty text for none."""
    return ", ".join(one.name for one in engines(view))


def without_engine(view: View) -> list[str]:
    """The nodes without a ready Pod of an engine, where one runs."""
    if not engines(view):
        return []
    covered = {
        pod.node
        for pod in view.snapshot.pods
        if pod.ready and any(pod.labels.get(label) in ENGINES for label in NAMED_BY)
    }
    return [node.name for node in view.snapshot.nodes if node.name not in covered]


def owner_of(rule: MetRule) -> str:
    """The engine to whose chains a rule belongs; an empty text for none's."""
    return next((one.name for one in ENGINES.values() if rule.chain.startswith(one.chains or "\0")), "")


def denial(passage: Passage) -> MetRule | None:
    """The rule of an engine's that ended a packet, if one did."""
    return passage.end if passage.end and owner_of(passage.end) else None
