"""What `scripts/up` notices of a cluster that stands and is broken, and what it does about it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.clusters.kind import life, mend, nodes
from scripts.clusters.kind.mend import advertised, without_container
from scripts.errors import PodpathError
from scripts.paths import ROOT
from scripts.stack.profile import Profile
from scripts.stack.state import Recorded
from tests.unit import atlas

SPARE = Recorded("v1", "Pod", "podpath-pod-to-service", "spare")


class Engine:
    """A Docker Engine, a load balancer and an API server, as far as mending asks them."""

    def __init__(self) -> None:
        self.paused: list[tuple[str, str, str, str]] = []
        self.owner = str(ROOT)
        self.containers = {ip for ip in advertised(atlas.snapshot())}
        self.ready = "True True True"
        self.started = False
        self.lost: list[Recorded] = []
        self.flushed = False
        self.done: list[str] = []

    def docker(self, *args: str, check: bool = True) -> str:
        if args[0] == "unpause":
            self.done.append(" ".join(args))
            return ""
        if "status=paused" in args:
            return "\n".join("|".join(one) for one in self.paused).strip()
        return "id" if args[0] == "ps" else " ".join(sorted(self.containers))

    def balance(self, fresh: bool) -> bool:
        self.done.append("a fresh balancer" if fresh else "the balancer")
        if fresh or self.started:
            self.containers = {ip for ip in advertised(atlas.snapshot())}
        return fresh or self.started


@pytest.fixture
def engine(stack: Profile, monkeypatch: pytest.MonkeyPatch) -> Engine:
    engine = Engine()
    stack.config["nodes"] = [{}, {}, {}]
    monkeypatch.setattr(mend, "docker", engine.docker)
    monkeypatch.setattr(mend, "kubectl", lambda *_, **__: engine.ready)
    monkeypatch.setattr(mend, "api_of", lambda profile: SimpleNamespace())
    monkeypatch.setattr(mend, "_entrances", lambda api: atlas.snapshot())
    monkeypatch.setattr("scripts.clusters.kind.nodes.nodes_of", lambda cluster: {"n": ""})
    monkeypatch.setattr(
        "scripts.clusters.kind.nodes.marker_of", lambda of: SimpleNamespace(owner=engine.owner)
    )
    monkeypatch.setattr("scripts.clusters.kind.noderules.mend_rules", lambda *_: engine.flushed)
    monkeypatch.setattr("scripts.stack.drift.lost", lambda profile, api: engine.lost)
    monkeypatch.setattr("scripts.stack.drift.clear", lambda lost, api: engine.done.append(f"clear {lost[0]}"))
    monkeypatch.setattr(mend, "say", engine.done.append)
    return engine


def test_a_cluster_that_is_whole_is_left_as_it_is(engine: Engine, stack: Profile) -> None:
    assert not mend.wake(stack) and not mend.mend(stack, engine.balance)
    assert engine.done == ["the balancer"]


def test_who_advertises_what_is_told_from_the_api() -> None:
    owners = advertised(atlas.snapshot())
    assert owners[atlas.BALANCER_IP] == (
        f"Service frontend ({atlas.BALANCER_IP}, namespace {atlas.SERVICE_NS})"
    )
    assert owners[atlas.INGRESS_IP] == f"Ingress frontend ({atlas.INGRESS_IP}, namespace {atlas.INGRESS_NS})"
    assert owners[atlas.GATEWAY_IP].startswith("Gateway frontend (") and not any(":" in ip for ip in owners)
    assert without_container(owners, owners) == []


@pytest.mark.parametrize("ip", [atlas.BALANCER_IP, atlas.INGRESS_IP, atlas.GATEWAY_IP])
def test_an_address_without_a_container_has_the_balancer_started_afresh(
    engine: Engine, stack: Profile, ip: str
) -> None:
    engine.containers.discard(ip)
    assert mend.mend(stack, engine.balance)
    owner = advertised(atlas.snapshot())[ip]
    assert engine.done == ["the balancer", f"  no container has the address of {owner}", "a fresh balancer"]


def test_a_balancer_that_had_to_be_started_may_have_given_other_addresses(
    engine: Engine, stack: Profile
) -> None:
    engine.started, engine.containers = True, set()
    assert mend.mend(stack, engine.balance) and engine.done == ["the balancer"]


def test_objects_that_went_away_are_named_and_cleared(engine: Engine, stack: Profile) -> None:
    engine.lost = [SPARE, *(Recorded("v1", "Pod", "", f"p{n}") for n in range(4))]
    assert mend.mend(stack, engine.balance)
    told = "Pod spare (namespace podpath-pod-to-service), Pod p0, Pod p1 and 2 more"
    assert engine.done[1:] == [
        f"  missing from the cluster: {told}; pulumi creates them again",
        f"clear {SPARE}",
    ]


def test_rules_that_were_mended_are_a_change(engine: Engine, stack: Profile) -> None:
    engine.flushed = True
    assert mend.mend(stack, engine.balance)


WORKER = ("podpath-own-worker", "podpath-own", "", "")
ENVOY = ("kindccm-1", "", "podpath-own", "")
GATE = ("podpath-own-gateway", "", "", "podpath-own")
THEIRS = [("dev-worker", "dev", "", ""), ("kindccm-2", "", "dev", ""), ("web", "", "", "")]


@pytest.mark.parametrize("ready", [True, False])
def test_our_paused_containers_go_on_and_others_stay(
    engine: Engine, stack: Profile, ready: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.paused = [WORKER, *THEIRS, ENVOY, GATE]
    engine.ready = "True True True" if ready else "True True Unknown"
    monkeypatch.setattr(mend, "TIMEOUTS", SimpleNamespace(ready=0))
    assert mend.wake(stack)
    assert engine.done[0] == "unpause kindccm-1 podpath-own-gateway podpath-own-worker"
    assert ready == (len(engine.done) == 1)


@pytest.mark.parametrize("owner", ["", "/another/checkout"])
def test_nodes_that_another_checkout_made_stay_paused(engine: Engine, stack: Profile, owner: str) -> None:
    engine.paused, engine.owner = [WORKER, ENVOY, GATE], owner
    assert not mend.wake(stack) and engine.done == []


@pytest.mark.parametrize("told", ["", "True True", "True True False"])
def test_nodes_are_ready_when_all_are(engine: Engine, stack: Profile, told: str) -> None:
    assert mend._all_ready(stack)
    engine.ready = told
    assert not mend._all_ready(stack)


class Steps:
    """The steps of bringing a cluster up, in the order in which they are taken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, new: bool, broken: bool, told: str) -> None:
        self.done: list[str] = []

        def step(name: str, value: Any = None) -> Any:
            def take(*args: Any, **kwargs: Any) -> Any:
                self.done.append(f"{name} {kwargs['compare']}" if "compare" in kwargs else name)
                return value

            return take

        images = {"base": "b", "node-agent": "a", "nginx": "n"}
        monkeypatch.setattr(life, "ensure_engine", lambda: None)
        monkeypatch.setattr(life, "check_engine", lambda: None)
        monkeypatch.setattr(life, "_tools_and_images", lambda *_: images)
        monkeypatch.setattr("scripts.clusters.kind.balancer.envoy_image", lambda *_: None)
        monkeypatch.setattr("scripts.clusters.kind.balancer.ensure_balancer", step("balance", False))
        monkeypatch.setattr("scripts.clusters.kind.mend.wake", step("wake", False))
        monkeypatch.setattr("scripts.clusters.kind.mend.mend", step("mend", broken))
        monkeypatch.setattr("scripts.clusters.kind.nodes.ensure_cluster", step("cluster", new))
        monkeypatch.setattr("scripts.clusters.kind.nodes.nodes_of", lambda cluster: {})
        monkeypatch.setattr("scripts.clusters.kind.nodes.wait_for_dns", lambda profile: None)
        monkeypatch.setattr("scripts.clusters.kind.world.ensure_outside", lambda *_: None)
        monkeypatch.setattr("scripts.stack.deploy.fresh_stack", step("fresh stack"))
        monkeypatch.setattr("scripts.stack.deploy.deploy", step("deploy", told))

    def restore(self) -> None:
        self.done.append("restore")


@pytest.mark.parametrize(
    ("new", "broken", "suspect", "done", "changed"),
    [
        (False, False, False, ["wake", "cluster", "mend", "restore", "deploy False"], False),
        (False, True, False, ["wake", "cluster", "mend", "restore", "deploy True"], True),
        (False, False, True, ["wake", "cluster", "mend", "restore", "deploy True"], False),
        (True, False, True, ["wake", "cluster", "fresh stack", "balance", "deploy False"], True),
    ],
)
def test_what_is_broken_is_mended_and_restored_before_the_labs_are_deployed(
    stack: Profile,
    monkeypatch: pytest.MonkeyPatch,
    new: bool,
    broken: bool,
    suspect: bool,
    done: list[str],
    changed: bool,
) -> None:
    steps = Steps(monkeypatch, new, broken, "45 unchanged")
    assert life.bring_up(stack, [], steps.restore, suspect) is changed
    assert steps.done == done


@pytest.mark.parametrize("at_once", [False, True])
def test_a_new_cluster_does_not_wait_for_the_end_of_the_broken_one(
    stack: Profile, monkeypatch: pytest.MonkeyPatch, at_once: bool, tmp_path: Path
) -> None:
    done: list[str] = []
    state = tmp_path / "state.json"
    state.touch()
    (stack.folder / "journal.jsonl").touch()
    monkeypatch.setattr(life, "state_file", lambda profile: state)
    monkeypatch.setattr(life, "refusal", lambda: None)
    monkeypatch.setattr(life, "check_place", lambda: done.append("place"))
    engine = SimpleNamespace(strangeness=lambda: done.append("engine"))
    monkeypatch.setattr(life, "engine_facts", lambda: engine)
    monkeypatch.setattr(life, "cli_tools", dict)
    monkeypatch.setattr(life, "link_tools", lambda programs: done.append("tools"))
    monkeypatch.setattr(nodes, "nodes_of", lambda cluster: {"n": ""})
    monkeypatch.setattr(nodes, "refuse_strangers", lambda *_: None)
    monkeypatch.setattr(nodes, "is_whole", lambda *_: True)
    monkeypatch.setattr(nodes, "delete", lambda profile: done.append("cluster"))
    monkeypatch.setattr("scripts.clusters.kind.world.remove_outside", lambda profile: [])
    monkeypatch.setattr("scripts.clusters.kind.balancer.stop_balancer", lambda profile: [])
    monkeypatch.setattr("scripts.clusters.kind.hostfence.open_host", lambda profile: [])
    monkeypatch.setattr("scripts.clusters.kind.networks.remove_network", lambda *_: [])
    monkeypatch.setattr("scripts.stack.deploy.fresh_stack", lambda profile: done.append("state"))
    monkeypatch.setattr("scripts.stack.deploy.destroy", lambda profile: done.append("destroy"))
    life.tear_down(stack, lambda: done.append("restore"), at_once)
    ours = ["place", "engine", "restore"]
    assert done == [*ours, "tools", "state" if at_once else "destroy", "cluster"]
    assert not (stack.folder / "journal.jsonl").exists(), "what it was to undo is gone"


def test_a_refused_api_is_no_ready_node(
    stack: Profile, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> str:
        raise PodpathError("no cluster answers.")

    monkeypatch.setattr(mend, "kubectl", refused)
    assert not mend._all_ready(stack)
