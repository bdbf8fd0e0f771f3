"""The API server of the made-up cluster, as far as it is asked, and who is behind its Services."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from scripts.errors import NotThere, PodpathError
from tests.unit.atlas import (
    NEW,
    PODS,
    ROLLED,
    SERVICE_NS,
    SERVICES,
    SUCCESSORS,
    pod_json,
    service_json,
    slice_json,
)
from tests.unit.lies import Lies
from tests.unit.ways import Key


class MadeUpApi:
    """Answers as the real one would. ``apps`` are Pods' labels, ``stopped`` those that hang."""

    def __init__(self, lies: Lies | None = None) -> None:
        self.lies = lies or Lies()
        self.deleted: list[str] = []
        self.patched: list[tuple[str, dict[str, Any]]] = []
        self.apps = {name: told[1] for name, told in PODS.items() if name not in NEW}
        self.selectors = {key: told[2] for key, told in SERVICES.items()}
        self.stopped: set[str] = set()
        self.notes: dict[str, dict[str, Any]] = {name: {} for name in ROLLED}
        self.lock = threading.RLock()

    def happened(self, what: str) -> None:
        """Before each request, and after what changed something."""

    def followed(self) -> None:
        """After a change, when the cluster follows it."""

    def members(self, key: Key, ready: bool = True) -> list[str]:
        """The Pods behind a Service as the API has them now; a hanging one with readiness is not ready."""
        selected = [
            name for name, app in self.apps.items() if (PODS[name][0], app) == (key[0], self.selectors[key])
        ]
        return [name for name in selected if not (ready and name == "spare-ready" and name in self.stopped)]

    def get(self, path: str, **query: str) -> dict[str, Any]:
        with self.lock:
            self.happened(f"GET {path}")
            *_, namespace, kind = ["", *path.split("/")]
            if kind == "endpointslices":
                return {"items": [self._slice(key) for key in SERVICES if namespace in ("v1", key[0])]}
            if kind == "pods":
                wanted = [n for n in self.apps if namespace in ("v1", PODS[n][0]) and n not in self.lies.gone]
                return {"items": [pod_json(name, self.apps[name]) for name in wanted]}
            if kind in ("networkpolicies", "ingresses", "httproutes"):
                return {"items": []}
            if (namespace, kind) == ("v1", "services"):
                return {"items": [service_json(key, "", self.selectors[key]) for key in SERVICES]}
            if namespace == "pods":  # …/pods/NAME
                if kind not in self.apps:
                    raise NotThere(f"the API server answered GET {path} with 404")
                return pod_json(kind, self.apps[kind])
            if namespace == "deployments":
                return self._deployment(kind)
            key = (path.split("/")[4], kind)
            after = self.lies.clusterip_after if key == (SERVICE_NS, "frontend") and self.deleted else ""
            return service_json(key, after, self.selectors[key])

    def _deployment(self, name: str) -> dict[str, Any]:
        counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), 2)
        if self.lies.never_replaced:
            counts["updatedReplicas"] = 0
        notes = {"annotations": dict(self.notes[name])} if self.notes[name] else {}
        return {
            "metadata": {"name": name, "uid": f"uid-{name}", "generation": 1},
            "spec": {"replicas": 2, "template": {"metadata": notes}},
            "status": {"observedGeneration": 1, **counts},
        }

    def _roll(self, name: str, change: Mapping[str, Any]) -> None:
        """Its Pods are those of the template with a note, or those of the one without."""
        told = change["spec"]["template"]["metadata"]["annotations"]
        merged = {**self.notes[name], **told} if told else {}
        self.notes[name] = {key: value for key, value in merged.items() if value is not None}
        kept = ROLLED[name][2:] if self.notes[name] else ROLLED[name][:2]
        self.apps = {pod: app for pod, app in self.apps.items() if pod not in ROLLED[name]}
        self.apps |= dict.fromkeys(kept, name)

    def _slice(self, key: Key) -> dict[str, Any]:
        if self.lies.deaf_api:
            names = [name for name in PODS if (PODS[name][0], PODS[name][1]) == (key[0], SERVICES[key][2])]
            return slice_json(key, [name for name in names if name not in NEW])
        every = self.members(key, ready=False)
        return slice_json(key, every, {*every} - {*self.members(key)})

    def delete(self, path: str, **query: str) -> dict[str, Any]:
        with self.lock:
            self.happened(f"DELETE {path}")
            self.deleted.append(path)
            gone = path.rpartition("/")[2]
            app = self.apps.pop(gone)
            new = SUCCESSORS[PODS[gone][0], app]
            if not self.lies.never_replaced:
                self.apps[new] = PODS[new][1]
            self.followed()
            return {}

    def patch(self, path: str, change: Mapping[str, Any]) -> dict[str, Any]:
        with self.lock:
            self.happened(f"PATCH {path}")
            self.patched.append((path, dict(change)))
            *_, namespace, kind, name = path.split("/")
            if kind == "pods":
                self.apps[name] = change["metadata"]["labels"]["app"]
            elif kind == "services":
                self.selectors[namespace, name] = change["spec"]["selector"]["app"]
            elif kind == "deployments":
                self._roll(name, change)
            else:
                raise PodpathError(f"the API server answered PATCH {path} with 404")
            self.followed()
            self.happened(f"PATCHED {name}")
            return {}
