"""The labs' objects are the article's: what it prints, and nothing printed differently."""

from __future__ import annotations

from typing import Any

from labs import LABS
from tests.components.stage import BALANCER_IP, Stage

PRINTED = ("name", "command", "env", "ports", "resources")
UNPRINTED = ("livenessProbe", "readinessProbe", "startupProbe", "args", "lifecycle")


def printed(container: dict[str, Any]) -> dict[str, Any]:
    """The fields of a container that the article's listings know."""
    assert not {*UNPRINTED} & {*container}, "the article's containers have no probes"
    return {key: container[key] for key in PRINTED if key in container}


def test_pod_frontend_is_printed_so(stage: Stage) -> None:
    pod = stage.one("Pod", "frontend")
    size = {"requests": {"cpu": "50m", "memory": "50Mi"}}
    assert pod["metadata"] == {"name": "frontend", "namespace": "podpath-container-to-container"}
    assert pod["spec"]["restartPolicy"] == "OnFailure"
    assert [printed(each) for each in pod["spec"]["containers"]] == [
        {"name": "nginx", "resources": size, "ports": [{"containerPort": 80}]},
        {
            "name": "webapp",
            "resources": size,
            "ports": [{"containerPort": 8080}],
            "command": ["catalina.sh", "run"],
        },
    ]


def test_container_to_container_has_no_service(exports: Any) -> None:
    assert exports["labs"]["container-to-container"] == {
        "namespace": "podpath-container-to-container",
        "pods": {"frontend": {"name": "frontend"}},
        "services": {},
        "ingresses": {},
    }


def test_deployment_frontend_is_printed_so(stage: Stage) -> None:
    deployment = stage.one("Deployment", "frontend", "pod-to-service")
    env = [{"name": "GET_HOSTS_FROM", "value": "env"}]
    size = {"requests": {"cpu": "100m", "memory": "100Mi"}}
    spec = deployment["spec"]
    assert deployment["metadata"] == {
        "name": "frontend",
        "namespace": "podpath-pod-to-service",
        "annotations": {"pulumi.com/skipAwait": "true"},
    }
    assert spec["selector"] == {"matchLabels": {"app": "frontend"}}
    assert spec["replicas"] == 3
    assert spec["template"]["metadata"] == {"labels": {"app": "frontend"}}
    assert "restartPolicy" not in spec["template"]["spec"]
    assert [printed(each) for each in spec["template"]["spec"]["containers"]] == [
        {"name": "nginx", "resources": size, "env": env, "ports": [{"containerPort": 80}]},
        {"name": "webapp", "resources": size, "env": env, "ports": [{"containerPort": 8080}]},
    ]


def test_service_frontend_is_printed_so_with_named_ports(stage: Stage) -> None:
    service = stage.one("Service", "frontend", "pod-to-service")
    assert service["metadata"] == {"name": "frontend", "namespace": "podpath-pod-to-service"}
    assert service["spec"] == {
        "type": "LoadBalancer",
        "ports": [{"name": "nginx", "port": 80}, {"name": "webapp", "port": 8080}],
        "selector": {"app": "frontend"},
    }


def test_frontend_ip_is_the_one_of_the_services_status(exports: Any) -> None:
    outputs: dict[str, Any] = {lab: {} for lab in LABS} | {"pod-to-service": {"frontendIp": BALANCER_IP}}
    assert exports["outputs"] == outputs


def test_peer_is_headless_and_its_pods_start_without_it(stage: Stage) -> None:
    service, pods = stage.one("Service", "peer"), stage.one("StatefulSet", "peer")
    assert service["spec"] == {
        "clusterIP": "None",
        "ports": [{"name": "nginx", "port": 80}],
        "selector": {"app": "peer"},
    }
    assert pods["spec"]["serviceName"] == "peer"
    assert pods["spec"]["replicas"] == 2
    assert pods["spec"]["podManagementPolicy"] == "Parallel"
    assert pods["spec"]["template"]["metadata"]["labels"] == {"app": "peer"}


def test_ingress_routes_by_host_and_by_path(stage: Stage) -> None:
    spec = stage.one("Ingress", "frontend")["spec"]
    routes = {
        (rule["host"], path["path"], path["pathType"]): (
            path["backend"]["service"]["name"],
            path["backend"]["service"]["port"]["number"],
        )
        for rule in spec["rules"]
        for path in rule["http"]["paths"]
    }
    assert spec["ingressClassName"] == "cloud-provider-kind"
    assert "defaultBackend" not in spec
    assert routes == {
        ("shop.podpath.test", "/", "Prefix"): ("shop", 80),
        ("blog.podpath.test", "/", "Prefix"): ("blog", 80),
        ("www.podpath.test", "/shop", "Prefix"): ("shop", 80),
        ("www.podpath.test", "/blog", "Prefix"): ("blog", 80),
    }


def test_each_backend_of_the_ingress_exists(stage: Stage) -> None:
    for name in ("shop", "blog"):
        service, deployment = stage.one("Service", name), stage.one("Deployment", name)
        assert service["spec"] == {"ports": [{"name": "nginx", "port": 80}], "selector": {"app": name}}
        assert service["metadata"]["namespace"] == deployment["metadata"]["namespace"] == "podpath-ingress-l7"
        assert deployment["spec"]["replicas"] == 1
        assert deployment["spec"]["template"]["metadata"]["labels"] == {"app": name}
        ports = [each["ports"] for each in deployment["spec"]["template"]["spec"]["containers"]]
        assert ports == [[{"containerPort": 80}], [{"containerPort": 8080}]]


def test_exports_tell_the_probes_where_everything_is(exports: Any) -> None:
    assert exports["labs"]["pod-to-service"] == {
        "namespace": "podpath-pod-to-service",
        "pods": {
            "frontend": {"selector": "app=frontend"},
            "peer": {"selector": "app=peer"},
            "spare": {"name": "spare"},
            "spare-ready": {"name": "spare-ready"},
        },
        "services": {"frontend": {"ports": {"nginx": 80, "webapp": 8080}}, "peer": {"ports": {"nginx": 80}}},
        "ingresses": {},
    }
    assert exports["labs"]["ingress-l7"]["pods"] == {
        "shop": {"selector": "app=shop"},
        "blog": {"selector": "app=blog"},
    }
    assert [*exports["labs"]["ingress-l7"]["ingresses"]] == ["frontend"]
    assert exports["platform"] == {
        "namespace": "podpath-system",
        "agent": {"selector": "app=node-agent"},
        "client": {"selector": "app=client"},
    }
