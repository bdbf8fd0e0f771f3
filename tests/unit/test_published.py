"""Programs come out of what is published where that is in reach, and in no other way than together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts.build import gobuild, nodeimage, published
from scripts.build.published import PUBLISHED, images_of, obtain, standing, taken_paths, unbuilt
from scripts.build.registries import Registries
from scripts.build.toolset import (
    CLOUD_PROVIDER_IMAGE,
    FLANNELD_IMAGE,
    KIND_NODE_IMAGE,
    KIND_NODE_TAG,
    TOOLS,
    Tool,
    group,
)
from tests.unit.reach import Reach

NETWORK = group("network")
BASE = "podpath/base:0a1b"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done: copies out of images and builds; a cache of its own, and no Docker."""
    done: list[str] = []

    def copy(image: str, path: str, target: Path) -> None:
        done.append(f"{image} {path}")
        target.write_text(path)

    def build(tools: Sequence[Tool]) -> dict[str, Path]:
        done.extend(f"build {tool.name}" for tool in gobuild.missing(tools))
        return {tool.name: gobuild.path_of(tool) for tool in tools}

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(published, "copy_from", copy)
    monkeypatch.setattr(published, "build", build)
    monkeypatch.setattr(published, "with_package", lambda package, base: f"{base}+{package}")
    return done


def test_what_is_published_is_of_the_version_that_is_pinned() -> None:
    tools = {tool.name: tool for tool in TOOLS}
    assert CLOUD_PROVIDER_IMAGE.endswith(f":{tools['cloud-provider-kind'].version}")
    assert FLANNELD_IMAGE.endswith(f":{tools['flannel'].version}")
    assert {*PUBLISHED} <= {*tools}
    assert KIND_NODE_IMAGE.startswith(f"{KIND_NODE_TAG}@sha256:")
    assert all(bool(one.image) != bool(one.package) and one.megabytes for one in PUBLISHED.values())


def test_programs_are_taken_once_and_keep_their_names(house: list[str]) -> None:
    reach = Reach(*images_of(NETWORK))
    programs = obtain(NETWORK, reach, BASE)
    assert [*programs] == [tool.name for tool in NETWORK]
    for name, path in programs.items():
        assert path.name == name and path.stat().st_mode & 0o111
        assert path.read_text() == PUBLISHED[name].path
    assert f"{BASE}+containernetworking-plugins /usr/lib/cni/bridge" in house
    house.clear()
    assert obtain(NETWORK, Reach(), BASE) == programs == standing(NETWORK) == taken_paths(NETWORK)
    assert house == []


def test_what_was_built_is_used_whatever_is_in_reach(house: list[str]) -> None:
    for tool in NETWORK:
        path = gobuild.path_of(tool)
        path.parent.mkdir(parents=True)
        path.touch()
    reach = Reach(*images_of(NETWORK))
    assert obtain(NETWORK, reach, BASE) == {tool.name: gobuild.path_of(tool) for tool in NETWORK}
    assert house == [] and reach.taken == []


@pytest.mark.parametrize(
    "reach",
    [
        Reach(),
        Reach(*images_of(NETWORK)[:1]),
        Reach(*images_of(NETWORK), refused=images_of(NETWORK)[1]),
        Registries(off=True),
    ],
)
def test_where_one_of_them_cannot_be_had_all_are_built(house: list[str], reach: Registries) -> None:
    assert unbuilt(NETWORK, reach, BASE) == {}
    obtain(NETWORK, reach, BASE)
    assert house == [f"build {tool.name}" for tool in NETWORK]


def test_a_copy_that_fails_leaves_nothing(house: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(image: str, path: str, target: Path) -> None:
        target.write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(published, "copy_from", interrupted)
    with pytest.raises(KeyboardInterrupt):
        obtain(group("balancer"), Reach(CLOUD_PROVIDER_IMAGE))
    assert standing(group("balancer")) == {}
    assert not [*taken_paths(group("balancer"))["cloud-provider-kind"].parent.glob("*.partial")]


@pytest.mark.parametrize(
    ("there", "reach", "used"),
    [
        ("", Reach(KIND_NODE_IMAGE, KIND_NODE_TAG, mirrored=True), KIND_NODE_IMAGE),
        ("", Reach(KIND_NODE_TAG, mirrored=True), KIND_NODE_TAG),
        ("", Reach(KIND_NODE_IMAGE, KIND_NODE_TAG, refused=KIND_NODE_IMAGE, mirrored=True), KIND_NODE_TAG),
        ("", Reach(KIND_NODE_TAG), "assembled"),
        ("", Reach(), "assembled"),
        (KIND_NODE_IMAGE, Reach(), KIND_NODE_IMAGE),
        (nodeimage._assembled_tag(), Reach(KIND_NODE_IMAGE), nodeimage._assembled_tag()),
    ],
)
def test_the_node_image_is_the_pinned_one_but_where_only_a_mirror_has_one(
    monkeypatch: pytest.MonkeyPatch, there: str, reach: Reach, used: str
) -> None:
    monkeypatch.setattr(nodeimage, "image_id", lambda tag: "0a" if tag == there else None)
    monkeypatch.setattr(nodeimage, "_assembled", lambda agent, registries: "assembled")
    assert nodeimage.plain_image("agent", reach) == used
