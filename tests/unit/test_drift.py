"""What a stack's state says, plain or packed, and which of its objects the cluster has no more."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from scripts.clusters.kind import life
from scripts.errors import NotThere
from scripts.stack import drift
from scripts.stack.drift import clear, list_path, lost, lost_of_ours, path_of
from scripts.stack.profile import Profile
from scripts.stack.state import Recorded, interrupted, outputs, read_state, recorded, state_file
from scripts.waiting import Late

SPARE = Recorded("v1", "Pod", "podpath-pod-to-service", "spare")
EGRESS = Recorded("v1", "Namespace", "", "podpath-egress")
ROUTE = Recorded("gateway.networking.k8s.io/v1", "HTTPRoute", "podpath-ingress-l7", "shop")
TRAVELLER = Recorded("apps/v1", "Deployment", "podpath-egress", "traveller")
PATHS = {
    SPARE: "/api/v1/namespaces/podpath-pod-to-service/pods/spare",
    EGRESS: "/api/v1/namespaces/podpath-egress",
    ROUTE: "/apis/gateway.networking.k8s.io/v1/namespaces/podpath-ingress-l7/httproutes/shop",
    TRAVELLER: "/apis/apps/v1/namespaces/podpath-egress/deployments/traveller",
}


def resource(one: Recorded, **more: object) -> dict[str, Any]:
    version = one.version if "/" in one.version else f"core/{one.version}"
    id = f"{one.namespace}/{one.name}" if one.namespace else one.name
    return {"type": f"kubernetes:{version}:{one.kind}", "id": id, "custom": True, **more}


STATE = {
    "resources": [
        {"type": "pulumi:pulumi:Stack", "outputs": {"labs": 1}},
        {"type": "pulumi:providers:kubernetes", "id": "5f38f132", "custom": True},
        {"type": "podpath:labs:Egress"},
        *map(resource, PATHS),
        resource(Recorded("v1", "Pod", "a", "old"), delete=True),
        resource(Recorded("v1", "Pod", "a", "theirs"), external=True),
    ]
}


@pytest.fixture
def kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    for place in ("profile", "state"):
        monkeypatch.setattr(f"scripts.stack.{place}.STATE", tmp_path)
    (tmp_path / "state" / ".pulumi" / "stacks" / "podpath").mkdir(parents=True)
    return Profile("kind")


def write(profile: Profile, state: Mapping[str, Any], packed: bool = False, age: float = 0) -> Path:
    data = json.dumps({"checkpoint": {"latest": state}}).encode()
    plain = state_file(profile).with_name("kind.json")
    file = plain.with_name("kind.json.gz") if packed else plain
    file.write_bytes(gzip.compress(data) if packed else data)
    then = file.stat().st_mtime - age
    os.utime(file, (then, then))
    return file


@pytest.mark.parametrize("packed", [False, True])
def test_a_state_is_read_packed_or_not(kind: Profile, packed: bool) -> None:
    assert not state_file(kind).exists()
    file = write(kind, {**STATE, "pending_operations": [1]}, packed)
    assert state_file(kind) == file
    assert interrupted(read_state(kind)) and outputs(read_state(kind)) == {"labs": 1}
    assert recorded(read_state(kind)) == [*PATHS]


@pytest.mark.parametrize(("older", "name"), [(False, "kind.json.gz"), (True, "kind.json")])
def test_of_two_states_the_newer_one_counts(kind: Profile, older: bool, name: str) -> None:
    write(kind, {}, age=0 if older else 10)
    write(kind, {}, packed=True, age=10 if older else 0)
    assert state_file(kind).name == name


@pytest.mark.parametrize("packed", [False, True])
def test_a_state_that_is_left_is_no_clean_end(
    kind: Profile, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "docker", lambda *_: "")
    monkeypatch.setattr("scripts.clusters.kind.networks.networks_left", lambda profile: [])
    monkeypatch.setattr("scripts.clusters.kind.hostfence.fence_left", lambda profile: "")
    assert life.leftovers(kind) == []
    write(kind, {}, packed)
    assert life.leftovers(kind) == ["Pulumi stack"]


def test_an_empty_state_knows_nothing(kind: Profile) -> None:
    state_file(kind).write_text(json.dumps({"checkpoint": {}}))
    state = read_state(kind)
    assert (recorded(state), outputs(state), interrupted(state)) == ([], None, False)


@pytest.mark.parametrize(
    ("kind_", "plural"),
    [
        ("Pod", "/api/v1/pods"),
        ("Ingress", "/api/v1/ingresses"),
        ("NetworkPolicy", "/api/v1/networkpolicies"),
        ("Gateway", "/api/v1/gateways"),
        ("IngressClass", "/api/v1/ingressclasses"),
        ("EndpointSlice", "/api/v1/endpointslices"),
    ],
)
def test_lists_are_called_as_the_api_server_calls_them(kind_: str, plural: str) -> None:
    assert list_path("v1", kind_) == plural
    assert list_path("apps/v1", "StatefulSet") == "/apis/apps/v1/statefulsets"


class Api:
    """An API server with these objects by their paths."""

    def __init__(self, *gone: Recorded) -> None:
        self.objects = {path: self._object(one) for one, path in PATHS.items() if one not in gone}
        self.deleted: list[str] = []
        self.stubborn = False

    def _object(self, one: Recorded) -> dict[str, Any]:
        where = {"namespace": one.namespace} if one.namespace else {}
        spec: dict[str, Any] = {"containers": []} if one.kind == "Pod" else {}
        return {"metadata": {"name": one.name, **where}, "spec": spec, "status": {"phase": "Running"}}

    def items(self, path: str) -> list[dict[str, Any]]:
        lists = {list_path(one.version, one.kind): PATHS[one] for one in PATHS}
        return [self.objects[lists[path]]] if lists[path] in self.objects else []

    def get(self, path: str, **query: str) -> dict[str, Any]:
        if path not in self.objects:
            raise NotThere("404")
        return self.objects[path]

    def delete(self, path: str, **query: str) -> dict[str, Any]:
        self.deleted.append(path + "".join(f" {key}={value}" for key, value in query.items()))
        if not self.stubborn:
            self.objects.pop(path)
        return {}


def test_nothing_is_lost_where_everything_stands_or_nothing_was_made(kind: Profile) -> None:
    api: Any = Api()
    assert lost(kind, api) == []
    write(kind, STATE)
    assert lost(kind, api) == []


@pytest.mark.parametrize("one", PATHS, ids=str)
def test_an_object_that_went_away_is_lost(kind: Profile, one: Recorded) -> None:
    write(kind, STATE)
    api: Any = Api(one)
    assert lost(kind, api) == [one]
    clear([one], api)
    assert api.deleted == []


@pytest.mark.parametrize(
    ("part", "value"),
    [("status", {"phase": "Failed"}), ("status", {"phase": "Succeeded"}), ("metadata", "deletionTimestamp")],
)
def test_a_pod_that_was_evicted_or_is_leaving_is_lost_and_cleared_away(
    kind: Profile, part: str, value: Any
) -> None:
    write(kind, STATE)
    api: Any = Api()
    pod = api.objects[PATHS[SPARE]]
    pod[part] = {**pod[part], value: "now"} if part == "metadata" else value
    assert lost(kind, api) == [SPARE]
    clear([SPARE], api)
    assert api.deleted == [f"{PATHS[SPARE]} gracePeriodSeconds=0"] and SPARE in lost(kind, api)


def test_what_does_not_go_is_told(kind: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    api: Any = Api()
    api.stubborn = True

    def once(condition: Any, deadline: float, what: str) -> None:
        if not condition():
            raise Late(what)

    monkeypatch.setattr(drift, "eventually", once)
    with pytest.raises(Late, match=r"^Pod spare \(namespace podpath-pod-to-service\) to be gone"):
        clear([SPARE], api)


def test_an_object_has_its_path() -> None:
    assert {one: path_of(one) for one in PATHS} == {**PATHS, EGRESS: "/api/v1/namespaces/podpath-egress"}


def test_on_a_shared_cluster_each_object_is_asked_for_by_itself(
    kind: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    api: Any = Api(TRAVELLER)
    monkeypatch.setattr(api, "items", None)  # what is not ours is not listed
    assert lost_of_ours(kind, api) == []
    write(kind, STATE)
    assert lost_of_ours(kind, api) == [TRAVELLER]
    api.objects[PATHS[SPARE]]["status"]["phase"] = "Failed"
    assert lost_of_ours(kind, api) == [SPARE, TRAVELLER]
