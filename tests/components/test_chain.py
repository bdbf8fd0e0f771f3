"""The article's chain: one Pod each, placed by affinity, and a password that nobody prints."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from labs.deploy import component_of
from tests.components.conftest import IMAGES
from tests.components.stage import PASSWORD, Stage, perform
from tests.components.test_rights import unprivileged

LAB = "pod-to-pod"
HOSTNAME = "kubernetes.io/hostname"
FROM_SECRET = {"secretKeyRef": {"name": "database", "key": "password"}}


def chain() -> Any:
    """Declares the lab alone and exports it."""
    return component_of(LAB)(LAB, IMAGES, pulumi.ResourceOptions()).exports


@pytest.fixture(scope="module")
def deployed() -> tuple[Stage, Any]:
    """The stage after the lab was declared, and its exports."""
    return perform(chain)


@pytest.fixture(scope="module")
def stage(deployed: tuple[Stage, Any]) -> Stage:
    """What was registered."""
    return deployed[0]


def pod(stage: Stage, name: str) -> dict[str, Any]:
    """The Pod's spec of one of the chain's workloads."""
    spec: dict[str, Any] = stage.pods()[f"{LAB}-{name}"]
    return spec


def container(stage: Stage, workload: str, name: str) -> dict[str, Any]:
    """A container of one of the chain's workloads."""
    (found,) = [each for each in pod(stage, workload)["containers"] if each["name"] == name]
    return {**found}


def on_one_node(name: str) -> dict[str, Any]:
    """The required affinity term for Pods of a workload."""
    term = {"topologyKey": HOSTNAME, "labelSelector": {"matchLabels": {"app": name}}}
    return {"requiredDuringSchedulingIgnoredDuringExecution": [term]}


def test_frontend_is_beside_rest_and_rest_apart_from_the_database(stage: Stage) -> None:
    assert pod(stage, "frontend")["affinity"] == {"podAffinity": on_one_node("rest")}
    assert pod(stage, "rest")["affinity"] == {"podAntiAffinity": on_one_node("database")}
    assert pod(stage, "database")["affinity"] == {"podAntiAffinity": on_one_node("rest")}


def test_no_pod_names_a_node(stage: Stage) -> None:
    for spec in stage.pods().values():
        assert not {"nodeName", "nodeSelector"} & {*spec}
        assert "nodeAffinity" not in spec["affinity"]


def test_every_pod_of_the_chain_is_restricted(stage: Stage) -> None:
    assert {*stage.pods()} == {f"{LAB}-{name}" for name in ("frontend", "rest", "database")}
    for spec in stage.pods().values():
        unprivileged(spec)
        assert spec["automountServiceAccountToken"] is False


def test_the_workloads_have_one_pod_each(stage: Stage) -> None:
    for kind, name in (("Deployment", "frontend"), ("Deployment", "rest"), ("StatefulSet", "database")):
        spec = stage.one(kind, name)["spec"]
        assert spec["replicas"] == 1
        assert spec["selector"] == {"matchLabels": {"app": name}}
        assert spec["template"]["metadata"] == {"labels": {"app": name}}
    assert stage.one("StatefulSet", "database")["spec"]["serviceName"] == "database"


def test_each_knows_the_next_by_the_name_of_its_service(stage: Stage) -> None:
    assert container(stage, "frontend", "webapp")["env"] == [
        {"name": "REST_URL", "value": "http://rest:8000/orders"}
    ]
    assert container(stage, "rest", "rest")["env"] == [
        {"name": "DATABASE_HOST", "value": "database"},
        {"name": "DATABASE_NAME", "value": "shop"},
        {"name": "DATABASE_USER", "value": "rest"},
        {"name": "DATABASE_PASSWORD", "valueFrom": FROM_SECRET},
    ]
    assert container(stage, "database", "database")["env"] == [
        {"name": "POSTGRES_PASSWORD", "valueFrom": FROM_SECRET}
    ]


def test_services_lead_to_the_workloads(stage: Stage) -> None:
    assert {name: stage.one("Service", name)["spec"] for name in ("frontend", "rest", "database")} == {
        "frontend": {"ports": [{"name": "nginx", "port": 80}], "selector": {"app": "frontend"}},
        "rest": {"ports": [{"name": "rest", "port": 8000}], "selector": {"app": "rest"}},
        "database": {
            "clusterIP": "None",
            "ports": [{"name": "database", "port": 5432}],
            "selector": {"app": "database"},
        },
    }


def test_the_password_leaves_the_program_as_a_secret_and_once(stage: Stage) -> None:
    envelope = stage.one("Secret", "database")["stringData"]
    signature, secret = pulumi.runtime.rpc._special_sig_key, pulumi.runtime.rpc._special_secret_sig
    assert envelope == {signature: secret, "value": {"password": PASSWORD}}
    assert [each.name for each in stage.seen if PASSWORD in str(each.inputs)] == [f"{LAB}-database"]


def test_a_missing_password_is_told_by_its_name() -> None:
    def program() -> Any:
        pulumi.runtime.set_all_config({})
        return chain()

    with pytest.raises(pulumi.ConfigMissingError, match="podpath:databasePassword"):
        perform(program)


def test_a_start_is_over_when_the_server_answers_and_nothing_is_probed_later(stage: Stage) -> None:
    told = {
        name: each.get("startupProbe")
        for spec in stage.pods().values()
        for each in spec["containers"]
        for name in (each["name"],)
    }
    often = {"periodSeconds": 1, "failureThreshold": 60}
    assert told == {
        "nginx": {"httpGet": {"path": "/", "port": 80}, **often},
        "webapp": None,
        "rest": {"httpGet": {"path": "/whoami", "port": 8000}, **often},
        "database": {"tcpSocket": {"port": 5432}, **often},
    }
    for spec in stage.pods().values():
        assert all(not {"readinessProbe", "livenessProbe"} & {*each} for each in spec["containers"])


def test_exports_tell_the_probes_where_the_chain_is(deployed: tuple[Stage, Any]) -> None:
    assert deployed[1] == {
        "namespace": f"podpath-{LAB}",
        "pods": {name: {"selector": f"app={name}"} for name in ("frontend", "rest", "database")},
        "services": {
            "frontend": {"ports": {"nginx": 80}},
            "rest": {"ports": {"rest": 8000}},
            "database": {"ports": {"database": 5432}},
        },
        "ingresses": {},
    }
