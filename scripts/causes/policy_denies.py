"""A NetworkPolicy selects the Pod that was asked, and its connections do not come through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scripts.causes.scene import Cause, Red, Scene


def find(scene: Scene) -> Iterator[Cause]:
    """Each policy that selects the target of a red that was neither answered nor ended by a known rule."""
    for policy in scene.policies:
        meta, spec = policy["metadata"], policy["spec"]
        chosen = spec.get("podSelector") or {}
        if "Ingress" not in (spec.get("policyTypes") or ["Ingress"]):
            continue
        ids = scene.ids(red for red in scene.reds if _lost_to(red, meta["namespace"], chosen))
        if ids:
            yield Cause(
                "policy_denies",
                f"NetworkPolicy {meta['name']} selects the Pod that is asked, and nothing gets through to it",
                (
                    f"its podSelector is {dict(chosen) or 'every Pod'} in namespace {meta['namespace']}; "
                    "the replay's SYNs were answered by nobody",
                ),
                ids,
                look=f"kubectl -n {meta['namespace']} describe networkpolicy {meta['name']}",
                mend=f"kubectl -n {meta['namespace']} delete networkpolicy {meta['name']}",
            )


def _lost_to(red: Red, namespace: str, chosen: Mapping[str, Any]) -> bool:
    """Whether a failing replay came to the node of such a Pod, and not out of it to the Pod."""
    pod = red.target.pod if red.target else None
    if pod is None or pod.namespace != namespace or not _selects(chosen, pod.labels):
        return False
    silent = [one for one in red.failing if not one.trace.answer and not any(one.ends)]
    last = [hop for one in silent if (hop := one.last("request"))]
    return any(hop.node == pod.node and (hop.interface.kind, hop.direction) != ("pod", "out") for hop in last)


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
