"""A stage for the Pulumi program without an engine: what it registers is recorded as it would be sent."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import pulumi
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks
from pulumi.runtime.settings import reset_options

BALANCER_IP = "198.18.0.7"
PASSWORD = "a password of the stack"


@dataclass(frozen=True)
class Registered:
    """One registered resource: its inputs in the API's own spelling, and the options that matter."""

    type: str
    name: str
    inputs: dict[str, Any]
    parent: str
    provider: str
    deleted_with: str
    create_timeout: str

    @property
    def kind(self) -> str:
        """The object's kind (or the component's class)."""
        return self.type.rsplit(":", 1)[1]

    @property
    def name_in_cluster(self) -> str:
        """The object's metadata.name; a component has none."""
        return str(self.inputs.get("metadata", {}).get("name", ""))


@dataclass
class Stage(Mocks):
    """Answers like a cluster: inputs come back as outputs, load balancers get an IP if ``balanced``."""

    balanced: bool = True
    seen: list[Registered] = field(default_factory=list)

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """The object as created."""
        outputs = copy.deepcopy(args.inputs)
        if args.typ == "kubernetes:core/v1:Service" and self.balanced:
            outputs["status"] = {"loadBalancer": {"ingress": [{"ip": BALANCER_IP}]}}
        return f"{args.name}-id", outputs

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        """No provider function is expected."""
        raise AssertionError(f"the program called {args.token}")

    def one(self, kind: str, name: str, lab: str = "") -> dict[str, Any]:
        """The inputs of the one object of this kind and metadata.name (in a lab, where several have one)."""
        found = [
            each.inputs
            for each in self.seen
            if (each.kind, each.name_in_cluster) == (kind, name)
            and lab in ("", each.parent.rsplit("::", 1)[1])
        ]
        assert len(found) == 1, f"{len(found)} objects {kind}/{name} instead of one"
        return found[0]

    def of(self, *kinds: str) -> list[Registered]:
        """All resources of these kinds; there must be some."""
        found = [r for r in self.seen if r.kind in kinds]
        assert found, f"nothing of {kinds} was registered"
        return found

    def pods(self) -> dict[str, dict[str, Any]]:
        """Every Pod's spec by the name of the object it comes from."""
        specs = {}
        for each in self.of("Pod", "Deployment", "StatefulSet", "DaemonSet"):
            spec = each.inputs["spec"]
            specs[each.name] = spec if each.kind == "Pod" else spec["template"]["spec"]
        return specs


class _Recorder(MockMonitor):
    def RegisterResource(self, request: Any) -> Any:
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if isinstance(self.mocks, Stage) and request.type != "pulumi:pulumi:Stack":
            inputs = pulumi.runtime.rpc.deserialize_properties(request.object)
            self.mocks.seen.append(
                Registered(
                    type=request.type,
                    name=request.name,
                    inputs=_plain(inputs),
                    parent=request.parent,
                    provider=request.provider,
                    deleted_with=request.deletedWith,
                    create_timeout=request.customTimeouts.create,
                )
            )
        return response


def perform(program: Callable[[], Any], *, preview: bool = False, balanced: bool = True) -> tuple[Stage, Any]:
    """Runs ``program`` to its end on an event loop of its own; returns the stage and its awaited result.

    Raises what the program raised. The result is taken out of Pulumi's own await, so a program whose
    outputs never resolve cannot look like one that was checked.
    """
    results: list[Any] = []

    def collected() -> pulumi.Output[None]:
        pulumi.runtime.set_all_config({"podpath:databasePassword": PASSWORD})
        return pulumi.Output.from_input(program()).apply(results.append, run_with_unknowns=True)

    with _fresh_loops():
        reset_options()
        stage = Stage(balanced=balanced)
        pulumi.runtime.set_mocks(
            stage, project="podpath", stack="kind", preview=preview, monitor=_Recorder(stage)
        )
        pulumi.runtime.test(collected)()  # type: ignore[no-untyped-call]
    assert len(results) == 1, "the program's result never resolved"
    return stage, results[0]


@contextmanager
def _fresh_loops() -> Iterator[None]:
    """An event loop of one's own; this one and those that Pulumi's threads leave open are closed."""
    loops: list[asyncio.AbstractEventLoop] = []
    make = asyncio.new_event_loop

    def made() -> asyncio.AbstractEventLoop:
        loops.append(make())
        return loops[-1]

    with mock.patch.object(asyncio, "new_event_loop", made):
        asyncio.set_event_loop(made())
        try:
            yield
        finally:
            asyncio.set_event_loop(None)
            for loop in loops:
                loop.close()


def _plain(value: Any) -> Any:
    """Numbers come over the wire as floats, and a secret as its envelope's value."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
