"""Faults applied and undone without a cluster: in which order, what is written down, who repairs the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from scripts.checks.undo import has
from scripts.errors import NotThere, PodpathError
from scripts.fault import every_fault
from scripts.fault._acts import make, patch, rule, switch
from scripts.fault._base import LABEL, Act, Repair, Site, owned, repair_of
from scripts.suite import inject
from scripts.suite.inject import Injector
from scripts.suite.journal import entries_of, written
from scripts.suite.repairs import MAPS, Repairs, map_of, reap
from scripts.transport.executor import CompletedExec, Place, PodExecError
from tests.unit import atlas

SERVICE = "/api/v1/namespaces/lab/services/frontend"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/lab/endpointslices"


class Cluster:
    """Objects by path, and agents that keep what they are told; ``happened`` is all of it, in order."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {
            SERVICE: {"metadata": {"name": "frontend"}, "spec": {"sessionAffinity": "None"}}
        }
        self.happened: list[str] = []
        self.deaf = False
        self.agents = ["worker-a", "worker-b"]

    def get(self, path: str, **query: str) -> dict[str, Any]:
        if path.endswith("/pods"):
            return {"items": [self._agent(node) for node in self.agents]}
        if path == MAPS and query:
            return {"items": [one for path, one in self.objects.items() if path.startswith(MAPS)]}
        if path not in self.objects:
            raise NotThere(path)
        return json.loads(json.dumps(self.objects[path]))  # type: ignore[no-any-return]

    def patch(self, path: str, change: Mapping[str, Any]) -> dict[str, Any]:
        self.happened.append(f"PATCH {path}")
        self.objects[path] = _merged(self.get(path), change)
        return {}

    def post(self, path: str, made: Mapping[str, Any]) -> dict[str, Any]:
        self.happened.append(f"POST {path}")
        path = f"{path}/{made['metadata']['name']}"
        if path in self.objects:
            raise PodpathError("409")
        self.objects[path] = dict(made)
        return {}

    def delete(self, path: str, **query: str) -> dict[str, Any]:
        self.happened.append(f"DELETE {path}")
        if path not in self.objects:
            raise NotThere(path)
        del self.objects[path]
        return {}

    def __call__(
        self, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
    ) -> CompletedExec:
        if self.deaf:
            raise PodExecError("EOF")
        *_, script = argv
        arms = "mkdir" in script.split("\n")[0]
        word = "arm" if arms else "live" if "touch" in script else "disarm" if "rm -rf" in script else "sweep"
        if word != "live":
            self.happened.append(f"{word} {place.node or place.container}")
        return CompletedExec(tuple(argv), b"", b"", 0, 0.0)

    def _agent(self, node: str) -> dict[str, Any]:
        return {
            "metadata": {"namespace": "podpath-system", "name": f"node-agent-{node}", "uid": f"uid-{node}"},
            "spec": {"nodeName": node, "containers": [{"name": "node-agent"}]},
            "status": {"phase": "Running", "podIP": "172.18.0.2"},
        }


def _merged(was: Any, change: Any) -> Any:
    """A JSON merge patch (RFC 7386)."""
    if not isinstance(change, Mapping):
        return change
    kept = dict(was) if isinstance(was, Mapping) else {}
    for key, value in change.items():
        kept[key] = _merged(kept.get(key), value)
        if value is None:
            del kept[key]
    return kept


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def repairs(tmp_path: Path, cluster: Cluster) -> Repairs:
    return Repairs(tmp_path / "faults.jsonl", cluster)


@pytest.fixture
def injector(cluster: Cluster, repairs: Repairs, monkeypatch: pytest.MonkeyPatch) -> Injector:
    monkeypatch.setattr(inject, "PATIENCE", 0)
    return Injector(cluster, cluster, repairs)


def site(cluster: Cluster) -> Site:
    return Site("broken", atlas.view(), cluster, cluster)


def acts(cluster: Cluster) -> list[Act]:
    """One of each kind that needs no Docker."""
    at = site(cluster)
    return [
        rule(at, "worker-a", "FORWARD", "-p udp -j DROP"),
        switch(at, "worker-b", "net.ipv4.ip_forward", "0"),
        patch(at, SERVICE, {"spec": {"sessionAffinity": "ClientIP"}}),
        make(at, SLICES, {"metadata": {"name": "extra"}}),
    ]


APPLIED = [
    f"POST {MAPS}",
    "arm worker-a",
    "arm worker-b",
    f"PATCH {SERVICE}",
    f"POST {SLICES}",
]
UNDONE = [
    f"DELETE {SLICES}/extra",
    f"PATCH {SERVICE}",
    "disarm worker-b",
    "disarm worker-a",
    f"DELETE {MAPS}/{map_of('broken')}",
]


def test_a_fault_is_written_down_before_it_is_applied_and_forgotten_last(
    cluster: Cluster, injector: Injector, repairs: Repairs
) -> None:
    damage, before = acts(cluster), json.dumps(cluster.objects)
    cluster.happened.clear()
    with injector.applied("broken", damage):
        assert cluster.happened == APPLIED
        assert len(repairs.on_disk()) == len(repairs.in_cluster()) == 4
        assert cluster.objects[SERVICE]["metadata"]["annotations"] == {LABEL: "broken"}
        assert cluster.objects[f"{SLICES}/extra"]["metadata"]["labels"] == {LABEL: "broken"}
        cluster.happened.clear()
    assert cluster.happened == UNDONE
    assert repairs.on_disk() == repairs.in_cluster() == []
    now = cluster.objects
    assert has(now[SERVICE], json.loads(before)[SERVICE]) and f"{SLICES}/extra" not in now


@pytest.mark.parametrize("killed", range(1, len(APPLIED) + 1))
def test_a_run_that_is_killed_at_any_step_is_repaired_by_the_next_command(
    cluster: Cluster, injector: Injector, repairs: Repairs, killed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies at a step: nothing of what it would have done after it happens."""
    damage, said = acts(cluster), list[str]()
    cluster.happened.clear()

    class Killed(BaseException):
        pass

    class Dying(list[str]):
        def append(self, what: str) -> None:
            super().append(what)
            if len(self) == killed:
                raise Killed

    cluster.happened = Dying()
    monkeypatch.setattr(Injector, "undo", lambda *_: None)
    with pytest.raises(Killed):
        injector.apply("broken", damage)
    cluster.happened = []
    assert reap(repairs, cluster, cluster, said.append) == ["broken"]
    assert {"disarm worker-a", "disarm worker-b"} <= {*cluster.happened}
    assert "ClientIP" not in json.dumps(cluster.objects) and f"{SLICES}/extra" not in cluster.objects
    assert said == ["a run was killed; undid its faults: broken"]
    assert reap(repairs, cluster, cluster, said.append) == [] and len(said) == 1


@pytest.mark.parametrize("lost", ["disk", "cluster"])
def test_either_journal_is_enough(
    cluster: Cluster, injector: Injector, repairs: Repairs, lost: str, tmp_path: Path
) -> None:
    injector.apply("broken", acts(cluster))._ended.set()
    if lost == "disk":
        (tmp_path / "faults.jsonl").unlink()
    else:
        del cluster.objects[f"{MAPS}/{map_of('broken')}"]
    assert reap(repairs, cluster, cluster, lambda text: None) == ["broken"]
    assert repairs.pending(exercises=True) == {}


def test_what_cannot_be_undone_now_is_kept(cluster: Cluster, injector: Injector, repairs: Repairs) -> None:
    injector.apply("broken", acts(cluster))._ended.set()
    said: list[str] = []
    cluster.deaf = True
    assert reap(repairs, cluster, cluster, said.append) == []
    assert said == ["the fault broken of a killed run is not undone: EOF. The next command tries again."]
    cluster.deaf = False
    assert reap(repairs, cluster, cluster, said.append) == ["broken"]


def test_a_fault_that_cannot_be_undone_is_an_error_and_stays_written_down(
    cluster: Cluster, injector: Injector, repairs: Repairs
) -> None:
    standing = injector.apply("broken", acts(cluster))
    cluster.deaf = True
    with pytest.raises(PodpathError, match=r"^gave up after 0 s waiting for the switch .* to be undone: EOF"):
        injector.undo(standing)
    assert len(repairs.on_disk()) == 4


def test_a_fault_that_cannot_be_applied_leaves_nothing(
    cluster: Cluster, injector: Injector, repairs: Repairs
) -> None:
    damage = acts(cluster)
    cluster.objects[f"{SLICES}/extra"] = {}
    with pytest.raises(PodpathError, match="409"):
        injector.apply("broken", damage)
    assert repairs.pending(exercises=True) == {}
    assert "ClientIP" not in json.dumps(cluster.objects)


def test_an_exercise_is_undone_only_by_who_says_so(
    cluster: Cluster, injector: Injector, repairs: Repairs
) -> None:
    injector.apply("broken", acts(cluster), exercise=True)
    assert reap(repairs, cluster, cluster, lambda text: None, sweep=True) == []
    assert repairs.pending(exercises=False) == {}
    assert reap(repairs, cluster, cluster, lambda text: None, exercises=True) == ["broken"]


def test_the_agent_that_runs_now_repairs_what_another_one_damaged(
    cluster: Cluster, injector: Injector, repairs: Repairs
) -> None:
    """Without any agent on the node, its container does."""
    injector.apply("broken", acts(cluster))._ended.set()
    cluster.agents.remove("worker-a")
    cluster.happened.clear()
    assert reap(repairs, cluster, cluster, lambda text: None) == ["broken"]
    assert "disarm worker-a" in cluster.happened


def test_a_given_clusters_nodes_are_looked_through_by_their_agents_alone(
    cluster: Cluster, repairs: Repairs
) -> None:
    """A container of this machine that has a node's name is somebody else's."""
    reap(repairs, cluster, cluster, lambda text: None, sweep=True)
    assert cluster.happened.count("disarm worker-a") == 2
    cluster.happened.clear()
    reap(repairs, cluster, cluster, lambda text: None, sweep=True, containers=False)
    assert cluster.happened.count("disarm worker-a") == 1


def test_a_repair_survives_its_line_and_half_a_line_is_no_repair(cluster: Cluster) -> None:
    for act in acts(cluster):
        repair = owned(act, "broken", True)
        assert entries_of(written([repair]), repair_of) == [repair]
        assert entries_of(written([repair])[:-5], repair_of) == []


def test_repairs_can_be_typed(cluster: Cluster) -> None:
    typed = [line for act in acts(cluster) for line in owned(act, "broken", False).by_hand]
    assert typed[0] == (
        "docker exec worker-a iptables -w -t filter -D FORWARD -m comment --comment podpath-fault:broken "
        "-p udp -j DROP"
    )
    assert typed[1].startswith("docker exec worker-b sysctl -q -w net.ipv4.ip_forward=")
    assert typed[2].startswith("kubectl --namespace lab patch services frontend --type merge --patch ")
    assert typed[3] == f"kubectl delete --raw {SLICES}/extra"
    assert Repair("engine", "", (("unpause", "w2"),)).by_hand == ["docker unpause w2"]


def test_no_fault_of_the_list_needs_anything_to_be_flushed_to_be_undone() -> None:
    """And none restores a table that it saved: whoever wrote since would lose it."""
    source = Path(inject.__file__).parents[1] / "fault"
    for name in every_fault():
        text = (source / f"{name}.py").read_text()
        assert "iptables-restore" not in text and "nft -f" not in text, name


def test_on_a_given_cluster_only_the_labs_are_damaged(cluster: Cluster, repairs: Repairs) -> None:
    confined = Injector(cluster, cluster, repairs, frozenset({"lab"}))
    *outside, changed, new = acts(cluster)
    cluster.happened.clear()
    for act in outside:
        with pytest.raises(PodpathError, match="it would damage more than the labs"):
            confined.apply("broken", [changed, act])
    assert cluster.happened == []
    with confined.applied("broken", [changed, new]):
        assert f"{SLICES}/extra" in cluster.objects
    other = make(site(cluster), SLICES.replace("/lab/", "/lab2/"), {"metadata": {"name": "extra"}})
    assert not other.within({"lab"}) and other.within({"lab2"})
