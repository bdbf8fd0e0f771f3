"""The labs and the platform as registered, once for the read-only tests."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from labs import LABS
from labs.deploy import deploy_labs
from labs.platform import Platform
from labs.target import Images, Target, provider_of
from tests.components.stage import Stage, perform

WORKLOADS = ("client", "database", "datagram", "nginx", "node-agent", "rest", "webapp")
IMAGES = Images({name: f"podpath/{name}:0a1b" for name in WORKLOADS})
TARGET = Target("kubeconfig's contents", "kind-podpath", "podpath/some-uid", IMAGES)


def everything() -> dict[str, Any]:
    """What __main__.py declares, and what it exports."""
    on = pulumi.ResourceOptions(provider=provider_of(TARGET))
    platform = Platform("platform", IMAGES, on)
    labs = deploy_labs(LABS, IMAGES, on)
    return {
        "platform": platform.exports,
        "labs": {name: lab.exports for name, lab in labs.items()},
        "outputs": {name: dict(lab.stack_outputs) for name, lab in labs.items()},
    }


@pytest.fixture(scope="package")
def deployed() -> tuple[Stage, Any]:
    """The stage after everything was declared, and the resolved exports."""
    return perform(everything)


@pytest.fixture(scope="package")
def stage(deployed: tuple[Stage, Any]) -> Stage:
    """What was registered."""
    return deployed[0]


@pytest.fixture(scope="package")
def exports(deployed: tuple[Stage, Any]) -> Any:
    """What the program exports."""
    return deployed[1]
