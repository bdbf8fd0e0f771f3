"""The node image of a stack with a NetworkPolicy engine: one layer more, and nothing for other stacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.build import policyengine
from scripts.build.registries import Registries
from scripts.build.toolset import group
from scripts.stack.kindconfig import POLICY_ENGINES
from tests.unit.reach import Reach

WORKLOADS = {"node-agent": "podpath/node-agent:1"}
ENGINE = "kube-router"


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """A machine that has the common node image; what is built, derived and there."""
    done: dict[str, Any] = {"there": {"podpath/node:common"}, "built": [], "derived": []}

    def build(tools: Any) -> dict[str, Path]:
        done["built"] += [tool.name for tool in tools]
        return {tool.name: tmp_path / tool.name for tool in tools}

    def derive(base: str, tag: str, files: dict[str, Path], images: list[str]) -> None:
        (manifest,) = (path.read_text() for path in files.values())
        done["derived"].append((base, images, manifest))
        done["there"].add(tag)

    @contextmanager
    def step(name: str) -> Iterator[None]:
        yield

    def node_image(workloads: object, registries: Registries) -> str:
        return "podpath/node:common"

    monkeypatch.setattr(policyengine, "build", build)
    monkeypatch.setattr(policyengine, "derive", derive)
    monkeypatch.setattr(policyengine, "step", step)
    monkeypatch.setattr(policyengine, "node_image", node_image)
    monkeypatch.setattr(policyengine, "made_image", lambda workloads: "podpath/node:common")
    monkeypatch.setattr(policyengine, "image_id", lambda tag: "id" if tag in done["there"] else None)
    monkeypatch.setattr(policyengine, "with_package", lambda package, base: f"{base}+{package}")
    monkeypatch.setattr(policyengine, "add_programs", lambda image, programs, tag: done.update(on=image))
    return done


def test_a_stack_without_an_engine_has_the_common_image_and_builds_nothing_more(house: Any) -> None:
    assert policyengine.engine_node_image("", WORKLOADS, Reach()) == "podpath/node:common"
    assert not house["built"] and not house["derived"]


def test_an_engine_is_one_layer_more_and_made_once(house: Any) -> None:
    tag = policyengine.engine_node_image(ENGINE, WORKLOADS, Reach())
    assert tag.startswith("podpath/node:") and tag != "podpath/node:common"
    assert house["built"] == [ENGINE] and house["on"] == "podpath/node-agent:1+ipset"
    assert policyengine.engine_node_image(ENGINE, WORKLOADS, Reach()) == tag
    ((base, images, manifest),) = house["derived"]
    assert (base, images) == ("podpath/node:common", ["podpath.local/kube-router:node"])
    daemons = {one["metadata"]["name"] for one in yaml.safe_load_all(manifest) if one["kind"] == "DaemonSet"}
    assert daemons == {"flannel", ENGINE}


@pytest.mark.parametrize("engine", POLICY_ENGINES)
def test_each_engine_that_a_stack_may_name_has_its_program_and_its_manifest(engine: str) -> None:
    assert engine in {tool.name for tool in group("policy")}
    objects = [*yaml.safe_load_all((policyengine.POLICY / f"{engine}.yaml").read_text())]
    (daemon,) = (one["spec"]["template"] for one in objects if one["kind"] == "DaemonSet")
    assert daemon["metadata"]["labels"] == {"k8s-app": engine}
    (container,) = daemon["spec"]["containers"]
    assert container["image"] == f"podpath.local/{engine}:node" and container["imagePullPolicy"] == "Never"
