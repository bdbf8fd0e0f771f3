"""A Service's own settings decide who answers: session affinity, and its traffic policies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from scripts.causes.commands import remade
from scripts.causes.scene import Cause, Red, Scene
from scripts.checks.verdict import Failure

BALANCING = (
    Failure.NOT_BALANCED,
    Failure.WRONG_SHARE,
    Failure.NOT_FOLLOWED,
    Failure.NOT_REPLACED,
    Failure.WRONG_RESPONDER,
    Failure.RULES_CHANGED,
    Failure.UNEXPECTED_ANSWER,
)
SPREAD = (Failure.NOT_KEPT, Failure.WRONG_RESPONDER, Failure.UNEXPECTED_ANSWER, Failure.WRONG_SOURCE)
"""What is seen where more Pods or nodes answer than should."""


def find(scene: Scene) -> Iterator[Cause]:
    """Each Service that some red asks, by how it is set."""
    for key in sorted({red.service for red in scene.reds if red.service}):
        for service in scene.services:
            if (service["metadata"]["namespace"], service["metadata"]["name"]) == key:
                yield from _affinity(scene, key, service["spec"])
                yield from _internal(scene, key, service["spec"])
                yield from _external(scene, key, service["spec"])


def _affinity(scene: Scene, key: tuple[str, str], spec: Mapping[str, Any]) -> Iterator[Cause]:
    """A Service that should keep clients for another time is set right by who made it, not by one patch."""
    affinity = str(spec.get("sessionAffinity"))
    kept = affinity == "ClientIP"
    hit = scene.ids(
        red
        for red in _of(scene, key)
        # affinity leaves no request without an answer
        if (red.failure in BALANCING and not red.failing if kept else red.failure is Failure.NOT_KEPT)
    )
    seconds = ((spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}).get("timeoutSeconds")
    lasting = f", for {seconds} s" if kept and seconds else ""
    says = "keeps each client at one Pod" if kept else "keeps no client at a Pod"
    if hit:
        cause = _cause(
            "session_affinity",
            key,
            f"{says} (sessionAffinity: {affinity}{lasting})",
            f"spec.sessionAffinity is {affinity}{lasting}",
            hit,
            "",
        )
        yield replace(cause, mend=remade(scene))


def _internal(scene: Scene, key: tuple[str, str], spec: Mapping[str, Any]) -> Iterator[Cause]:
    local = spec.get("internalTrafficPolicy") == "Local"
    nodes = {one.node for one in scene.view.snapshot.endpoints.get(key, ()) if one.ready}
    inside = [red for red in _of(scene, key) if red.node]
    hit = scene.ids(
        red
        for red in inside
        if (local and (red.node not in nodes or red.failure in BALANCING))
        or (not local and red.failure is Failure.WRONG_RESPONDER)
    )
    says = "sends only to the client's own node" if local else "sends to Pods of every node"
    where = f"its ready Pods are on {', '.join(sorted(nodes)) or 'no node'}"
    if hit:
        policy = "Local" if local else "Cluster"
        change = f'{{"spec": {{"internalTrafficPolicy": "{"Cluster" if local else "Local"}"}}}}'
        yield _cause("traffic_policy", key, f"{says} (internalTrafficPolicy: {policy})", where, hit, change)


def _external(scene: Scene, key: tuple[str, str], spec: Mapping[str, Any]) -> Iterator[Cause]:
    local = spec.get("externalTrafficPolicy") == "Local"
    outside = [red for red in _of(scene, key) if not red.node]
    lost = (Failure.TIMED_OUT, Failure.REFUSED, Failure.NO_ANSWER, Failure.WRONG_SOURCE)
    hit = scene.ids(red for red in outside if red.failure in (lost if local else SPREAD))
    says = "takes connections only at nodes with a Pod of it" if local else "takes connections at every node"
    if hit and spec.get("externalTrafficPolicy"):
        policy = "Local" if local else "Cluster"
        change = f'{{"spec": {{"externalTrafficPolicy": "{"Cluster" if local else "Local"}"}}}}'
        where = "the client's address is kept" if local else "a node may replace the client's address"
        yield _cause("traffic_policy", key, f"{says} (externalTrafficPolicy: {policy})", where, hit, change)


def _of(scene: Scene, key: tuple[str, str]) -> list[Red]:
    return [red for red in scene.reds if red.service == key]


def _cause(
    kind: str, key: tuple[str, str], says: str, evidence: str, explains: frozenset[str], change: str
) -> Cause:
    namespace, name = key
    return Cause(
        kind,
        f"Service {name} {says}",
        (evidence,),
        explains,
        look=f"kubectl -n {namespace} get service {name} -o yaml",
        mend=f"kubectl -n {namespace} patch service {name} --type merge -p '{change}'",
        weak=True,
    )
