"""How each thing comes is known before anything is done, and told with what it costs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from scripts.build import clitools, gobuild, nodeimage, published, workloads
from scripts.build.registries import Registries
from scripts.build.toolset import KIND_NODE_IMAGE, group
from scripts.clusters.kind import balancer, supply
from scripts.clusters.kind.supply import Supply, Way, duration, summary, supplies
from scripts.stack.profile import Profile
from tests.unit.reach import Reach

THINGS = ["kind", "pulumi", "kubectl", "pulumi's Kubernetes provider", "cloud-provider-kind", "flannel"]
THINGS += ["Envoy", "labs' images", "node image"]
EVERYTHING = [balancer.ENVOY, KIND_NODE_IMAGE]
EVERYTHING += published.images_of([*group("network"), *group("balancer")])


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on PATH, in the cache or in Docker."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(clitools, "on_path", lambda: {})
    for module in (supply, nodeimage):
        monkeypatch.setattr(module, "image_id", lambda tag: None)
    monkeypatch.setattr(workloads, "_local_tags", set)
    return tmp_path


def ways(found: list[Supply]) -> dict[str, Way]:
    return {one.thing: one.way for one in found}


def test_where_nothing_is_in_reach_all_is_built(bare: Path, stack: Profile) -> None:
    found = supplies(stack, Reach())
    assert ways(found) == dict.fromkeys(THINGS, Way.BUILT)
    told = summary(found)
    assert told.startswith("to be built: kind, pulumi, kubectl, ") and re.search(r"about \d+ min, once", told)
    assert found[1].advice.startswith("quicker: put pulumi v3.")


def test_a_connected_laptop_with_its_own_programs_builds_its_labs_only(
    bare: Path, stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {name: Path("/usr/bin") / name for name in clitools.USERS_OWN}
    monkeypatch.setattr(clitools, "on_path", lambda: own)
    found = ways(supplies(stack, Reach(*EVERYTHING)))
    assert [thing for thing, way in found.items() if way is Way.BUILT] == ["labs' images"]
    assert [thing for thing, way in found.items() if way is Way.THERE] == [*clitools.USERS_OWN]
    stack.settings["podpath:registry"] = "localhost:5001/team"
    remote = [
        workloads.remote_name(image.tag, "localhost:5001/team")
        for image in workloads.images(workloads.BOOTSTRAPPED).values()
    ]
    found = ways(supplies(stack, Reach(*EVERYTHING, *remote)))
    assert Way.BUILT not in found.values()


def test_what_is_there_is_asked_of_nobody(
    bare: Path, stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (supply, nodeimage):
        monkeypatch.setattr(module, "image_id", lambda tag: "0a1b")
    tags = {image.tag for image in workloads.images(workloads.PULLED).values()}
    monkeypatch.setattr(workloads, "_local_tags", lambda: tags)
    for tool in group("kind", "pulumi", "kubectl", "provider", "balancer"):
        gobuild.path_of(tool).parent.mkdir(parents=True, exist_ok=True)
        gobuild.path_of(tool).touch()
    monkeypatch.setattr("scripts.build.registries.registry_status", None)
    found = supplies(stack, Registries())
    assert ways(found) == dict.fromkeys(THINGS, Way.THERE) and summary(found) == ""


def test_a_policy_engine_is_built_for_the_stack_that_asks_for_one(bare: Path, stack: Profile) -> None:
    assert "kube-router" not in ways(supplies(stack, Reach(*EVERYTHING)))
    stack.config["policyEngine"] = "kube-router"
    assert ways(supplies(stack, Reach(*EVERYTHING)))["kube-router"] is Way.BUILT
    for tool in group("policy"):
        gobuild.path_of(tool).parent.mkdir(parents=True)
        gobuild.path_of(tool).touch()
    assert ways(supplies(stack, Reach(*EVERYTHING)))["kube-router"] is Way.THERE


def test_each_way_is_told_with_what_it_costs() -> None:
    pulled = Supply("Envoy", Way.PULLED, "from envoy:v1", 7, 70)
    built = Supply("kind", Way.BUILT, "from Go modules", 170)
    there = Supply("kubectl", Way.THERE, "/usr/bin/kubectl")
    assert pulled.told == "to be pulled from envoy:v1 (about 70 MB, 10 s)"
    assert built.told == "to be built from Go modules (about 3 min)"
    assert there.told == "/usr/bin/kubectl"
    told = "to be pulled: Envoy; to be built: kind (about 70 MB, 3 min, once)"
    assert summary([there, pulled, built]) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(1, "10 s"), (44, "40 s"), (90, "90 s"), (94, "90 s"), (95, "2 min"), (600, "10 min")],
)
def test_a_duration_is_as_rough_as_it_is_known(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_cloud_provider_kind_hears_of_its_own_cluster_only(tmp_path: Path) -> None:
    (tmp_path / "docker-client").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "docker-client").chmod(0o755)
    script = balancer.ONE_CLUSTER.read_text().replace("/usr/local/bin", str(tmp_path))
    (tmp_path / "docker").write_text(script)
    label, one = "label=io.x-k8s.cloud-provider-kind.cluster", "label=io.x-k8s.kind.cluster"

    def asked(*words: str) -> list[str]:
        argv = ["sh", str(tmp_path / "docker"), *words]
        done = subprocess.run(
            argv, env={"PODPATH_CLUSTER": "own"}, capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()

    assert asked("ps", "-a", "--filter", one) == ["ps", "-a", "--filter", f"{one}=own"]
    assert asked("ps", "-a", "--filter", label) == ["ps", "-a", "--filter", f"{label}=own"]
    same = ["run", "--label", f"{label[6:]}=own", "--name", "a b", "", "-e", "x=$y *"]
    assert asked(*same) == same and asked() == [""]
    assert balancer.ONE_CLUSTER.stat().st_mode & 0o111
