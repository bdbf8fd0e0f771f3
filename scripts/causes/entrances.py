"""An Ingress or a Gateway has no route for what is asked, or one that leads to another Service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scripts.causes.commands import remade
from scripts.causes.scene import Cause, Red, Scene
from scripts.checks.verdict import Failure
from scripts.evidence import curl
from scripts.evidence.identity import HEADER_POD

Object = Mapping[str, Any]


def find(scene: Scene) -> Iterator[Cause]:
    """Each Ingress and Gateway that a red asks by a host name."""
    for (namespace, name), ips in scene.view.snapshot.ingresses.items():
        ingress = _named(scene.ingresses, namespace, name)
        for red in scene.reds:
            if ingress and _asks(red, ips) and (cause := _ingress(scene, ingress, red)):
                yield cause
    for (namespace, name), ips in scene.view.snapshot.gateways.items():
        for red in scene.reds:
            routed = any(_attached(route, name, red) for route in scene.routes)
            if _asks(red, ips) and not routed and not _found(red):
                yield _unrouted(scene, red, f"Gateway {name}", "httproutes", namespace)


def _ingress(scene: Scene, ingress: Object, red: Red) -> Cause | None:
    name, namespace = ingress["metadata"]["name"], ingress["metadata"]["namespace"]
    path, backend = _backend(ingress, red)
    if backend is None:
        return None if _found(red) else _unrouted(scene, red, f"Ingress {name}", f"ingress {name}", namespace)
    wrong = red.failure in (Failure.WRONG_RESPONDER, Failure.WRONG_STATUS)
    if not wrong or not _chosen(scene, red, namespace, backend):
        return None
    rule = f"{red.target.host if red.target else ''}{path}" if path else "whatever no rule is for"
    return Cause(
        "wrong_backend",
        f"Ingress {name} sends {rule} to Service {backend}",
        (f"spec of Ingress {namespace}/{name}: {rule} → {backend}, and a Pod of it answered",),
        frozenset({red.id}),
        look=f"kubectl -n {namespace} get ingress {name} -o yaml",
        mend=remade(scene),
    )


def _unrouted(scene: Scene, red: Red, whose: str, what: str, namespace: str) -> Cause:
    host = red.target.host if red.target else ""
    return Cause(
        "no_configuration",
        f"{whose} has no route for {host}{red.path}",
        (f"no rule of {whose} in namespace {namespace} is for host {host} and path {red.path}",),
        frozenset({red.id}),
        look=f"kubectl -n {namespace} get {what} -o yaml",
        mend=remade(scene),
    )


def _asks(red: Red, ips: tuple[str, ...]) -> bool:
    target = red.target
    return target is not None and bool(target.host) and bool({target.address, *target.ips} & {*ips})


def _found(red: Red) -> bool:
    """Whether its being without a route is what it expects: a host or a path that nobody should serve."""
    return red.failure in (Failure.UNEXPECTED_ANSWER, Failure.WRONG_RESPONDER)


def _backend(ingress: Object, red: Red) -> tuple[str, str | None]:
    """The path and the Service that the longest fitting rule names; no path for the default backend."""
    host, fitting = red.target.host if red.target else "", list[tuple[str, str]]()
    for rule in ingress["spec"].get("rules") or ():
        if rule.get("host") in (None, "", host):
            for one in (rule.get("http") or {}).get("paths") or ():
                if red.path.startswith(str(one.get("path") or "/")):
                    fitting.append((str(one.get("path") or "/"), _service(one["backend"])))
    if fitting:
        return max(fitting, key=lambda one: len(one[0]))
    default = ingress["spec"].get("defaultBackend")
    return "", _service(default) if default else None


def _service(backend: Object) -> str:
    return str((backend.get("service") or {}).get("name", ""))


def _chosen(scene: Scene, red: Red, namespace: str, service: str) -> bool:
    """Whether a Pod that this Service selects answered the replay."""
    of = scene.view.snapshot.services.get((namespace, service))
    pods = {pod.name for pod in scene.view.snapshot.pods if of and of.selects(pod)}
    answers = [one.answer for one in red.tries if isinstance(one.answer, curl.Answer)]
    return any(answer.server.get(HEADER_POD) in pods for answer in answers)


def _attached(route: Object, gateway: str, red: Red) -> bool:
    """Whether an HTTPRoute belongs to a Gateway and is for the host and path that are asked."""
    spec, host = route["spec"], red.target.host if red.target else ""
    parents = {parent.get("name") for parent in spec.get("parentRefs") or ()}
    names = spec.get("hostnames") or [host]
    return gateway in parents and host in names


def _named(objects: tuple[Object, ...], namespace: str, name: str) -> Object | None:
    for one in objects:
        if (one["metadata"]["namespace"], one["metadata"]["name"]) == (namespace, name):
            return one
    return None
