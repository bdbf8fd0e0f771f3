"""On the terms of a given cluster: its own labels, no agent without rights, no class that nobody named."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from labs import LABS
from labs.deploy import deploy_labs
from labs.platform import Platform
from labs.target import provider_of
from labs.terms import NONE, PULL_SECRET, Terms
from tests.components.conftest import IMAGES, TARGET
from tests.components.stage import Stage, perform

OWNER = {"podpath/owner": "alice-1", "podpath/run": "0a1b"}
CREDENTIALS = '{"auths": {}}'
GIVEN = Terms(OWNER, False, NONE, NONE, NONE, CREDENTIALS, linux_only=True, alone=True)


def deployed(terms: Terms) -> tuple[Stage, Any]:
    def program() -> dict[str, Any]:
        on = pulumi.ResourceOptions(provider=provider_of(TARGET))
        platform = Platform("platform", IMAGES, on, terms)
        labs = deploy_labs(LABS, IMAGES, on, terms)
        return {
            "platform": platform.exports,
            "labs": {name: lab.exports for name, lab in labs.items()},
            "outputs": {name: dict(lab.stack_outputs) for name, lab in labs.items()},
        }

    return perform(program, balanced=False)


@pytest.fixture(scope="module")
def given() -> tuple[Stage, Any]:
    return deployed(GIVEN)


def test_every_namespace_tells_its_owner_and_its_run(given: tuple[Stage, Any]) -> None:
    for one in given[0].of("Namespace"):
        labels = one.inputs["metadata"]["labels"]
        assert OWNER.items() <= labels.items()
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_without_rights_no_pod_has_any(given: tuple[Stage, Any]) -> None:
    stage, exports = given
    assert [one.name for one in stage.of("DaemonSet")] == ["platform-client"]
    assert {*exports["platform"]} == {"namespace", "client"}
    for spec in stage.pods().values():
        assert spec["securityContext"]["runAsNonRoot"] and "hostNetwork" not in spec


def test_every_pod_keeps_to_linux_and_pulls_with_its_namespaces_secret(given: tuple[Stage, Any]) -> None:
    stage, _ = given
    for spec in stage.pods().values():
        assert spec["nodeSelector"] == {"kubernetes.io/os": "linux"}
        assert spec["imagePullSecrets"] == [{"name": PULL_SECRET}]
    secrets = [one for one in stage.of("Secret") if one.name_in_cluster == PULL_SECRET]
    assert {one.inputs["metadata"]["namespace"] for one in secrets} == {
        one.name_in_cluster for one in stage.of("Namespace")
    }
    assert {one.inputs["type"] for one in secrets} == {"kubernetes.io/dockerconfigjson"}
    assert all(CREDENTIALS in str(one.inputs["stringData"]) for one in secrets)


def test_no_class_no_object_and_no_wait_for_a_load_balancer(given: tuple[Stage, Any]) -> None:
    stage, exports = given
    kinds = {one.kind for one in stage.seen}
    assert not {"Ingress", "Gateway", "HTTPRoute"} & kinds
    types = {one.inputs["spec"].get("type") for one in stage.of("Service")}
    assert types == {None, "NodePort"}
    assert exports["labs"]["ingress-l7"]["ingresses"] == exports["labs"]["ingress-l7"]["gateways"] == {}
    assert exports["outputs"]["pod-to-service"] == {"frontendIp": None}


def test_on_one_node_the_chain_is_not_kept_apart(given: tuple[Stage, Any]) -> None:
    stage, _ = given
    assert not stage.pods()["pod-to-pod-rest"].get("affinity")
    affinity = deployed(Terms())[0].pods()["pod-to-pod-rest"]["affinity"]
    assert affinity["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]


def test_classes_are_those_that_the_stack_names() -> None:
    stage, exports = deployed(Terms(balancer="lb.example/x", ingress="nginx", gateway="envoy"))
    service = stage.one("Service", "web-local")
    assert (
        service["spec"]["type"] == "LoadBalancer" and service["spec"]["loadBalancerClass"] == "lb.example/x"
    )
    assert stage.one("Ingress", "frontend")["spec"]["ingressClassName"] == "nginx"
    assert stage.one("Gateway", "frontend")["spec"]["gatewayClassName"] == "envoy"
    assert exports["labs"]["ingress-l7"]["gateways"]["frontend"]["class"] == "envoy"


def test_a_cluster_of_ours_is_as_it_was() -> None:
    stage, _ = deployed(Terms())
    assert not any(spec.get("nodeSelector") or spec.get("imagePullSecrets") for spec in stage.pods().values())
    assert "loadBalancerClass" not in stage.one("Service", "web-local")["spec"]
    assert [one.name_in_cluster for one in stage.of("Secret")] == ["database"]
