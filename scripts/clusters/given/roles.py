"""Which verbs on which resources each tier needs, and which of them the credentials of a stack have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.errors import Forbidden
from scripts.tiers import Tier
from scripts.transport.rest import Rest

if TYPE_CHECKING:
    from scripts.stack.terms import Terms

REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
ASKED_AT_ONCE = 8
READ = ("get", "list")
WATCH = ("get", "list", "watch")
OWN = ("get", "create", "patch", "update", "delete")
WRITE = ("get", "list", "watch", "create", "patch", "update", "delete")


@dataclass(frozen=True)
class Rule:
    """Verbs on resources of one API group, as a Role has them; ``tier`` needs it first, and says why."""

    tier: Tier
    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str

    def written(self) -> dict[str, Any]:
        """As a rule of a ClusterRole."""
        return {"apiGroups": [self.group], "resources": [*self.resources], "verbs": [*self.verbs]}


RULES = (
    Rule(Tier.LOOK, "", ("nodes", "namespaces", "pods", "services"), READ, "who is there"),
    Rule(Tier.LOOK, "discovery.k8s.io", ("endpointslices",), READ, "who is behind each Service"),
    Rule(Tier.LOOK, "networking.k8s.io", ("ingresses",), READ, "which entrances there are"),
    Rule(Tier.LOOK, "gateway.networking.k8s.io", ("gateways",), READ, "which entrances there are"),
    Rule(Tier.PODS, "", ("namespaces",), WRITE, "the namespaces of the labs, and their end"),
    Rule(Tier.PODS, "", ("pods", "services"), WRITE, "the labs"),
    Rule(Tier.PODS, "", ("secrets",), OWN, "the labs' own; none is listed"),
    Rule(Tier.PODS, "", ("pods/exec",), ("get", "create"), "the probes: curl in Pods of our own"),
    Rule(Tier.PODS, "apps", ("deployments", "statefulsets", "daemonsets"), WRITE, "the labs"),
    Rule(Tier.PODS, "networking.k8s.io", ("networkpolicies",), WRITE, "the lab pitfalls"),
    Rule(Tier.PODS, "apps", ("replicasets",), WATCH, "to see that the labs are up"),
    Rule(Tier.PODS, "", ("events", "endpoints", "persistentvolumeclaims"), WATCH, "the same"),
    Rule(Tier.PODS, "discovery.k8s.io", ("endpointslices",), WATCH, "the same"),
    Rule(Tier.BREAK, "", ("configmaps",), WRITE, "what a fault damages, until it is undone"),
    Rule(Tier.BREAK, "discovery.k8s.io", ("endpointslices",), WRITE, "the faults of Services"),
)
INGRESS = Rule(Tier.DOORS, "networking.k8s.io", ("ingresses",), WRITE, "the lab ingress-l7")
GATEWAY = Rule(Tier.DOORS, "gateway.networking.k8s.io", ("gateways", "httproutes"), WRITE, INGRESS.why)


def rules_of(terms: Terms, tier: Tier) -> list[Rule]:
    """What ``tier`` needs on these terms: an Ingress or a Gateway only where a class is named."""
    doors = [INGRESS] * (terms.ingressClass != "none") + [GATEWAY] * (terms.gatewayClass != "none")
    return [rule for rule in (*RULES, *doors) if rule.tier <= tier]


def lacking(api: Rest, rules: Sequence[Rule]) -> list[str]:
    """What the credentials may not do of ``rules``: "create pods", "list ingresses.networking.k8s.io".

    A cluster that does not say what they may do is taken at its word later.
    """
    asked = [one for rule in rules for one in _questions(rule)]
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        allowed = pool.map(lambda one: _may(api, one), asked)
        refused = [one for one, may in zip(asked, allowed, strict=True) if not may]
    return [_told(one) for one in refused]


def _questions(rule: Rule) -> Iterator[dict[str, str]]:
    for resource in rule.resources:
        name, _, sub = resource.partition("/")
        for verb in rule.verbs:
            yield {"group": rule.group, "resource": name, "subresource": sub, "verb": verb}


def _may(api: Rest, question: dict[str, str]) -> bool:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": question},
    }
    try:
        return bool(api.post(REVIEW, review)["status"]["allowed"])
    except Forbidden:
        return True


def _told(question: dict[str, str]) -> str:
    group = f".{question['group']}" if question["group"] else ""
    sub = f"/{question['subresource']}" if question["subresource"] else ""
    return f"{question['verb']} {question['resource']}{sub}{group}"
