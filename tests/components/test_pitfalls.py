"""Lab pitfalls: Services that differ in one setting each, and a policy that closes one Pod."""

from __future__ import annotations

from typing import Any

import pytest

from tests.components.stage import Stage

LAB = "pitfalls"
PORT = [{"name": "nginx", "port": 80}]
DEPLOYED = ("server", "lone", "guarded", "datagram", "graceful", "abrupt")
SERVED = ("server", "sticky", "brief", "near", "lone", "graceful", "abrupt")


def spec(stage: Stage, kind: str, name: str) -> dict[str, Any]:
    """The spec of one of the lab's objects."""
    found: dict[str, Any] = stage.one(kind, name, LAB)["spec"]
    return found


@pytest.mark.parametrize(
    ("name", "app", "setting"),
    [
        ("server", "server", {}),
        ("sticky", "server", {"sessionAffinity": "ClientIP"}),
        (
            "brief",
            "server",
            {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 1}}},
        ),
        ("near", "server", {"internalTrafficPolicy": "Local"}),
        ("lone", "lone", {"internalTrafficPolicy": "Local"}),
        ("graceful", "graceful", {}),
        ("abrupt", "abrupt", {}),
    ],
)
def test_each_service_differs_in_its_one_setting(
    stage: Stage, name: str, app: str, setting: dict[str, Any]
) -> None:
    assert spec(stage, "Service", name) == {"ports": PORT, "selector": {"app": app}, **setting}


def test_two_servers_are_spread_and_the_others_are_one_each(stage: Stage) -> None:
    assert {name: spec(stage, "Deployment", name)["replicas"] for name in ("server", "lone", "guarded")} == {
        "server": 2, "lone": 1, "guarded": 2,
    }  # fmt: skip
    (rule,) = spec(stage, "Deployment", "server")["template"]["spec"]["topologySpreadConstraints"]
    assert (rule["topologyKey"], rule["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "DoNotSchedule")
    assert "topologySpreadConstraints" not in spec(stage, "Deployment", "lone")["template"]["spec"]


def test_pods_are_small_and_wait_for_nginx_and_not_for_an_application(stage: Stage) -> None:
    for name in ("server", "lone", "guarded"):
        (container,) = spec(stage, "Deployment", name)["template"]["spec"]["containers"]
        assert container["resources"] == {"requests": {"cpu": "10m", "memory": "16Mi"}}
        assert container["startupProbe"]["httpGet"] == {"path": "/whoami", "port": 80}
        assert "readinessProbe" not in container


def test_udp_is_served_by_a_node_port_too_and_nothing_asks_it_whether_it_is_up(stage: Stage) -> None:
    served = spec(stage, "Service", "datagram")
    assert served["type"] == "NodePort"
    assert served["ports"] == [{"name": "datagram", "port": 5300, "protocol": "UDP"}]
    (container,) = spec(stage, "Deployment", "datagram")["template"]["spec"]["containers"]
    assert container["ports"] == [{"containerPort": 5300, "protocol": "UDP"}]
    assert "startupProbe" not in container


def test_the_two_that_are_rolled_differ_in_how_their_pods_end(stage: Stage) -> None:
    graceful, abrupt = (spec(stage, "Deployment", name) for name in ("graceful", "abrupt"))
    everything = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}}
    assert graceful["strategy"] == abrupt["strategy"] == everything
    pods = [of["template"]["spec"] for of in (graceful, abrupt)]
    (waits,), (ends,) = (of["containers"] for of in pods)
    assert waits["lifecycle"] == {"preStop": {"exec": {"command": ["sleep", "6"]}}}
    assert "lifecycle" not in ends and "lifecycle" not in spec(stage, "Deployment", "server")
    assert [of["terminationGracePeriodSeconds"] for of in pods] == [7, 1]


def test_the_policy_lets_the_servers_in_to_the_guarded_pod_and_nobody_else(stage: Stage) -> None:
    assert len(stage.of("NetworkPolicy")) == 1
    assert spec(stage, "NetworkPolicy", "guarded") == {
        "podSelector": {"matchLabels": {"app": "guarded"}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "server"}}}]}],
    }


def test_the_probes_are_told_of_all_of_it(exports: Any) -> None:
    assert exports["labs"][LAB] == {
        "namespace": "podpath-pitfalls",
        "pods": {name: {"selector": f"app={name}"} for name in DEPLOYED},
        "services": {
            "datagram": {"ports": {"datagram": 5300}},
            **{name: {"ports": {"nginx": 80}} for name in SERVED},
        },
        "ingresses": {},
    }
