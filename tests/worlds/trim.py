"""Removes from API objects what no reader needs, and what would identify the machine."""

from __future__ import annotations

from typing import Any

DROPPED = {
    "affinity", "allocatable", "annotations", "args", "capacity", "command", "containerID", "daemonEndpoints",
    "dnsPolicy", "enableServiceLinks", "env", "envFrom", "generateName", "generation", "hostIP", "hostIPs",
    "image", "imageID", "imagePullPolicy", "images", "lastHeartbeatTime", "managedFields", "nodeInfo",
    "observedGeneration", "ownerReferences", "preemptionPolicy", "priority", "priorityClassName",
    "providerID", "qosClass", "resourceVersion", "schedulerName", "securityContext", "serviceAccount",
    "serviceAccountName", "terminationMessagePath", "terminationMessagePolicy", "tolerations",
    "volumeMounts", "volumes",
}  # fmt: skip


def trimmed(value: Any) -> Any:
    """An API object, or a part of one, without the fields in ``DROPPED``."""
    if isinstance(value, dict):
        return {key: trimmed(of) for key, of in value.items() if key not in DROPPED}
    return [trimmed(of) for of in value] if isinstance(value, list) else value
