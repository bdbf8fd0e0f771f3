"""The target: read from the stack's folder, and a dead or missing cluster is one sentence."""

from __future__ import annotations

import json
import runpy
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest

from labs import target
from labs.deploy import LABS_VARIABLE
from labs.target import Images, target_of
from labs.terms import Terms
from scripts.paths import ROOT
from tests.components.stage import BALANCER_IP, perform

CONTEXT = "kind-podpath"


@pytest.fixture
def port() -> Iterator[int]:
    """A port that accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def folder(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stack's folder as scripts/up leaves it."""
    monkeypatch.setattr(target, "ROOT", tmp_path)
    monkeypatch.setattr(target, "STATE", tmp_path / ".podpath")
    folder = tmp_path / ".podpath" / "kind"
    folder.mkdir(parents=True)
    (folder / "kubeconfig").write_text(kubeconfig(port))
    (folder / "cluster.json").write_text(json.dumps({"name": "podpath", "uid": "some-uid"}))
    (folder / "images.json").write_text(json.dumps({"nginx": "podpath/nginx:0a1b"}))
    return folder


def kubeconfig(port: int) -> str:
    """Two contexts, of which ours is not the current one."""
    return json.dumps(
        {
            "current-context": "someone-elses",
            "contexts": [
                {"name": "someone-elses", "context": {"cluster": "theirs"}},
                {"name": CONTEXT, "context": {"cluster": "ours"}},
            ],
            "clusters": [
                {"name": "theirs", "cluster": {"server": "https://127.0.0.1:1"}},
                {"name": "ours", "cluster": {"server": f"https://127.0.0.1:{port}"}},
            ],
        }
    )


def config(**settings: str) -> pulumi.Config:
    """The stack's configuration."""
    pulumi.runtime.set_all_config({f"podpath:{k}": v for k, v in {"context": CONTEXT, **settings}.items()})
    return pulumi.Config("podpath")


def said(settings: pulumi.Config) -> str:
    """The sentence that ends the program."""
    with pytest.raises(pulumi.RunError) as error:
        target_of("kind", settings)
    return str(error.value)


def test_the_stack_is_read_from_its_folder(folder: Path, port: int) -> None:
    found = target_of("kind", config())
    assert found.kubeconfig == kubeconfig(port)
    assert (found.context, found.identity) == (CONTEXT, "podpath/some-uid")
    assert found.images == Images({"nginx": "podpath/nginx:0a1b"})


def test_another_kubeconfig_needs_no_cluster_of_ours(folder: Path, port: int, tmp_path: Path) -> None:
    (folder / "kubeconfig").unlink()
    (folder / "cluster.json").unlink()
    (tmp_path / "own").write_text(kubeconfig(port))
    assert target_of("kind", config(kubeconfig="own")).identity == CONTEXT
    assert target_of("kind", config(kubeconfig=str(tmp_path / "own"))).kubeconfig == kubeconfig(port)


@pytest.mark.parametrize("name", ["kubeconfig", "cluster.json", "images.json"])
def test_a_missing_file_names_itself_and_scripts_up(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert said(config()) == (
        f"stack kind has no cluster yet (.podpath/kind/{name} cannot be read: No such file or directory): "
        "run scripts/up kind."
    )


@pytest.mark.parametrize("name", ["cluster.json", "images.json"])
@pytest.mark.parametrize("text", ["", "{", "[]", '"text"'])
def test_a_damaged_record_names_itself_and_scripts_up(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    assert said(config()) == f".podpath/kind/{name} is damaged: run scripts/up kind."


@pytest.mark.parametrize("text", ["", "[", "a: b", "contexts: 1", "clusters: []\ncontexts: []"])
def test_a_damaged_kubeconfig_names_itself_and_the_context(folder: Path, text: str) -> None:
    (folder / "kubeconfig").write_text(text)
    assert (
        said(config()) == f".podpath/kind/kubeconfig names no server for context {CONTEXT}: run scripts/up."
    )


def test_an_unknown_context_is_one_sentence(folder: Path) -> None:
    assert "names no server for context nope" in said(config(context="nope"))


def test_a_dead_cluster_is_noticed_before_anything_is_registered(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    (folder / "kubeconfig").write_text(kubeconfig(closed))
    assert (
        said(config())
        == f"the cluster of stack kind does not answer at 127.0.0.1:{closed}: run scripts/up kind."
    )


def test_a_silent_cluster_is_given_up_in_time(
    folder: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def never(address: tuple[str, int], timeout: float) -> socket.socket:
        given.append((address, timeout))
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", never)
    assert "does not answer" in said(config())
    assert given == [(("127.0.0.1", port), 2.0)]


def test_the_program_exports_what_the_stack_deploys(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LABS_VARIABLE, raising=False)
    images = {name: f"podpath/{name}:0a1b" for name in ("nginx", "webapp", "client", "node-agent")}
    (folder / "images.json").write_text(json.dumps(images))

    def program() -> dict[str, Any]:
        config(labs="pod-to-service")
        runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")
        stack = pulumi.runtime.get_root_resource()
        assert isinstance(stack, pulumi.runtime.stack.Stack)
        return stack.outputs

    stage, exports = perform(program)
    assert {*exports} == {"platform", "labs", "frontendIp"}
    assert [*exports["labs"]] == ["pod-to-service"]
    assert exports["frontendIp"] == BALANCER_IP
    assert {each.inputs["metadata"]["name"] for each in stage.of("Namespace")} == {
        "podpath-system",
        "podpath-pod-to-service",
    }


def given(folder: Path, **terms: Any) -> None:
    """Writes down terms as scripts/up does for a given cluster."""
    usual = {"given": True, "alone": False, "labels": {"podpath/owner": "alice-1"}, "agent": False}
    classes = {"balancer": "none", "ingress": "none", "gateway": "none", "pullSecret": ""}
    (folder / "terms.json").write_text(json.dumps(usual | classes | terms))


def test_a_given_cluster_has_terms_and_one_of_ours_has_the_usual_ones(folder: Path, tmp_path: Path) -> None:
    assert target_of("kind", config()).terms == Terms()
    (folder / "terms.json").write_text(json.dumps({"given": False, "alone": True}))
    assert target_of("kind", config()).terms == Terms(alone=True)
    (tmp_path / "docker.json").write_text("credentials")
    given(folder, pullSecret="docker.json")
    terms = target_of("kind", config()).terms
    assert (terms.labels, terms.agent, terms.ingress) == ({"podpath/owner": "alice-1"}, False, "none")
    assert terms.pull_secret == "credentials" and "credentials" not in repr(terms)


def test_terms_that_cannot_be_read_are_one_sentence(folder: Path) -> None:
    for text in ("", "[]", "{}", '{"given": true}'):
        (folder / "terms.json").write_text(text)
        assert said(config()) == ".podpath/kind/terms.json is damaged: run scripts/up kind."
    given(folder, pullSecret="gone.json")
    assert "the pull secret of stack kind is missing" in said(config()) and "gone.json" in said(config())


def test_the_copy_of_a_given_clusters_kubeconfig_names_its_context(folder: Path, port: int) -> None:
    pulumi.runtime.set_all_config({})
    settings = pulumi.Config("podpath")
    assert "does not answer at 127.0.0.1:1" in said(settings), "that of the current context"
    one = json.loads(kubeconfig(port))
    one["current-context"] = CONTEXT
    (folder / "kubeconfig").write_text(json.dumps(one))
    assert target_of("kind", settings).context == CONTEXT
    (folder / "kubeconfig").write_text("[]")
    assert "names no server for context" in said(settings)
