"""Why Pods of ours do not run on a given cluster: an image that a node cannot pull, or admission."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from scripts.errors import PodpathError
from scripts.transport.executor import printable
from scripts.transport.rest import Rest
from scripts.waiting import Late, eventually

PULL_FAILURES = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
PATIENCE = 15.0
"""Seconds in which a DaemonSet has made its Pods, or says why not."""


def unpulled(api: Rest, namespaces: Collection[str]) -> str:
    """Which image a node could not pull, in a sentence; empty where there is none."""
    for pod in api.items("/api/v1/pods"):
        if pod["metadata"]["namespace"] not in namespaces:
            continue
        for status in pod.get("status", {}).get("containerStatuses") or ():
            waiting = (status.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") in PULL_FAILURES:
                node = pod["spec"].get("nodeName", "a node")
                said = _line(waiting.get("message") or waiting["reason"])
                return (
                    f"node {node} cannot pull {status.get('image')}: {said} (can it reach the registry, and "
                    "does `pullSecret` open it?)."
                )
    return ""


def not_admitted(api: Rest, namespaces: Collection[str]) -> str:
    """Which DaemonSet may make no Pods, and why, in a sentence; empty where all of them have theirs."""

    def lacking() -> list[dict[str, Any]]:
        every = api.items("/apis/apps/v1/daemonsets")
        return [one for one in every if one["metadata"]["namespace"] in namespaces and not _has_its_pods(one)]

    try:
        eventually(lambda: not lacking(), PATIENCE, "the DaemonSets to have their Pods", every=0.5)
    except Late:
        events = api.items("/api/v1/events")
        for one in lacking():
            if said := _refused(one["metadata"], events):
                return f"DaemonSet {one['metadata']['name']} may make no Pods: {said}."
    return ""


def why(api: Rest, namespaces: Collection[str]) -> str:
    """Why Pods of ours do not run, in a sentence; empty where nothing is known, or nobody answers."""
    try:
        return unpulled(api, namespaces) or not_admitted(api, namespaces)
    except PodpathError:
        return ""


def _has_its_pods(daemon_set: dict[str, Any]) -> bool:
    status = daemon_set.get("status") or {}
    wanted = status.get("desiredNumberScheduled", 0)
    return "observedGeneration" in status and bool(status.get("currentNumberScheduled", 0) >= wanted)


def _refused(meta: dict[str, Any], events: list[Any]) -> str:
    """The last refusal to make a Pod of an object."""
    about = [
        event
        for event in events
        if event.get("reason") == "FailedCreate"
        and event["involvedObject"].get("name") == meta["name"]
        and event["involvedObject"].get("namespace") == meta["namespace"]
    ]
    return _line(about[-1].get("message", "")) if about else ""


def _line(said: object) -> str:
    return printable((str(said).strip().splitlines() or [""])[0])[:250].rstrip(".")
