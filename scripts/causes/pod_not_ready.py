"""A Pod that a probe needs is not ready, or restarts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scripts.causes.commands import remade
from scripts.causes.scene import Cause, Red, Scene
from scripts.causes.told import is_ready
from scripts.checks.verdict import Failure
from scripts.transport.executor import printable


def find(scene: Scene) -> Iterator[Cause]:
    """Each Pod of a red's lab that is not ready, with what the kubelet says of it."""
    labs = scene.view.exports.get("labs", {})
    owned = {labs[red.lab]["namespace"] for red in scene.reds if red.lab in labs} | {"podpath-system"}
    for pod in scene.pods:
        meta, status = pod["metadata"], pod.get("status") or {}
        if meta["namespace"] not in owned or status.get("phase") == "Succeeded" or is_ready(pod):
            continue
        if pod["spec"].get("nodeName") in scene.view.silent:
            continue
        yield Cause(
            "pod_not_ready",
            f"Pod {meta['name']} is not ready: {_why(pod)}",
            (_last(status) or f"phase {status.get('phase', 'unknown')}",),
            scene.ids(red for red in scene.reds if _needs(red, pod, scene)),
            node=pod["spec"].get("nodeName", ""),
            look=f"kubectl -n {meta['namespace']} describe pod {meta['name']}",
            mend=remade(scene),
        )


def _why(pod: Mapping[str, Any]) -> str:
    for one in (pod.get("status") or {}).get("containerStatuses") or ():
        for state in (one.get("state") or {}).values():
            if reason := state.get("reason"):
                times = f", {one['restartCount']} restarts" if one.get("restartCount") else ""
                return printable(f"container {one['name']}: {reason}{times}")
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition["status"] != "True" and condition.get("reason"):
            return printable(f"{condition['reason']}: {condition.get('message', '')}".rstrip(": "))
    return "deleted" if "deletionTimestamp" in pod["metadata"] else "its status does not say why"


def _last(status: Mapping[str, Any]) -> str:
    """The last thing that a container of it said when it ended."""
    for one in status.get("containerStatuses") or ():
        ended = (one.get("lastState") or {}).get("terminated") or (one.get("state") or {}).get("terminated")
        waiting = (one.get("state") or {}).get("waiting")
        if ended:
            said = (ended.get("message") or ended.get("reason") or "").strip().splitlines()[-1:]
            return printable(f"container {one['name']} ended with {ended.get('exitCode')}: {''.join(said)}")
        if waiting and waiting.get("message"):
            return printable(waiting["message"])
    return ""


def _needs(red: Red, pod: Mapping[str, Any], scene: Scene) -> bool:
    name, labels = pod["metadata"]["name"], pod["metadata"].get("labels") or {}
    owner = labels.get("app") or labels.get("app.kubernetes.io/name") or name
    missing = red.failure is Failure.MISSING_PEER
    if missing and (name in red.why or f" {owner} " in f"{red.why} "):
        return True
    service = scene.view.snapshot.services.get(red.service) if red.service else None
    if service is None or not service.selector or service.namespace != pod["metadata"]["namespace"]:
        return False
    return service.selector.items() <= labels.items()
