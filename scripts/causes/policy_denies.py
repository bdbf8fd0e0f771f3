"""A NetworkPolicy selects the Pod that was asked, and its connections do not come through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scripts.causes.scene import Cause, Red, Scene, Try
from scripts.evidence.policyengine import denial, owner_of


def find(scene: Scene) -> Iterator[Cause]:
    """Each policy that selects the target of a red which an engine's rule ended, or nobody answered.

    What another known rule ended has that rule as its cause.
    """
    for policy in scene.policies:
        meta, spec = policy["metadata"], policy["spec"]
        chosen = spec.get("podSelector") or {}
        if "Ingress" not in (spec.get("policyTypes") or ["Ingress"]):
            continue
        lost = [red for red in scene.reds if _asks(red, meta["namespace"], chosen) and _lost(red)]
        if lost:
            yield Cause(
                "policy_denies",
                f"NetworkPolicy {meta['name']} selects the Pod that is asked, and nothing gets through to it",
                (
                    f"its podSelector is {dict(chosen) or 'every Pod'} in namespace {meta['namespace']}; "
                    + _ended(lost),
                ),
                scene.ids(lost),
                look=f"kubectl -n {meta['namespace']} describe networkpolicy {meta['name']}",
                mend=f"kubectl -n {meta['namespace']} delete networkpolicy {meta['name']}",
            )


def _asks(red: Red, namespace: str, chosen: Mapping[str, Any]) -> bool:
    """Whether it asks such a Pod."""
    pod = red.target.pod if red.target else None
    return pod is not None and pod.namespace == namespace and _selects(chosen, pod.labels)


def _lost(red: Red) -> bool:
    """Whether a failing replay was ended for a policy, or came to the Pod's node and not out to the Pod."""
    return any(_denied(one) or _unheard(red, one) for one in red.failing)


def _denied(one: Try) -> bool:
    return any(denial(passage) for passage in one.passages)


def _unheard(red: Red, one: Try) -> bool:
    pod, hop = red.target.pod if red.target else None, one.last("request")
    if pod is None or hop is None or one.trace.answer or any(one.ends):
        return False
    return hop.node == pod.node and (hop.interface.kind, hop.direction) != ("pod", "out")


def _ended(lost: list[Red]) -> str:
    """By which rule of whose the replay's packets were ended, as far as the nodes named one."""
    passages = (passage for red in lost for one in red.failing for passage in one.passages)
    for passage in passages:
        if rule := denial(passage):
            where = f"{rule.where} rule {rule.number} of {passage.node} ({rule.text})"
            return f"{owner_of(rule)} enforces it: {where} ended the replay's SYNs"
    return "the replay's SYNs were answered by nobody"


def _selects(chosen: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector (Kubernetes: LabelSelector) selects a Pod with these labels."""
    if not (chosen.get("matchLabels") or {}).items() <= labels.items():
        return False
    for one in chosen.get("matchExpressions") or ():
        there, value = one["key"] in labels, labels.get(one["key"])
        among = there and value in (one.get("values") or ())
        holds = {"In": among, "NotIn": not among, "Exists": there, "DoesNotExist": not there}
        if not holds.get(one["operator"], False):
            return False
    return True
