"""Least rights: every lab's Pod is `restricted`, and the node agent is the one exception."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from labs import LABS
from labs.containers import IDENTITY_FOLDER
from scripts.stack.deploy import MADE_BY, STACK_LABEL
from tests.components.conftest import IMAGES
from tests.components.stage import Stage

AGENT, CLIENT = "platform-node-agent", "platform-client"
DROP_ALL = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
PODS = {
    "container-to-container": 1,
    "pod-to-pod": 3,
    "pod-to-service": 4,
    "egress": 1,
    "ingress-l4": 1,
    "ingress-l7": 2,
    "pitfalls": 6,
}
HOST = ("hostNetwork", "hostPID", "hostIPC")


def lab_pods(stage: Stage) -> dict[str, dict[str, Any]]:
    """The specs of the labs' Pods."""
    return {name: spec for name, spec in stage.pods().items() if not name.startswith("platform-")}


def unprivileged(spec: dict[str, Any]) -> None:
    """What Pod Security `restricted` asks of a Pod, and a little more."""
    security = spec["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] == security["runAsGroup"] == security["fsGroup"] == 10001
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {*HOST} & {*spec}
    assert all(each["securityContext"] == DROP_ALL for each in spec["containers"])
    assert all({*volume} <= {"name", "emptyDir", "projected"} for volume in spec["volumes"])


def test_every_pod_of_a_lab_is_restricted(stage: Stage) -> None:
    pods = lab_pods(stage)
    for lab in LABS:
        count = sum(name.startswith(f"{lab}-") for name in pods)
        assert count == PODS.get(lab, count) > 0, lab
    for spec in pods.values():
        unprivileged(spec)
        assert spec["securityContext"]["sysctls"] == [
            {"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}
        ]
        waits = any("lifecycle" in container for container in spec["containers"])
        assert spec["terminationGracePeriodSeconds"] == (7 if waits else 1)


def test_client_is_restricted_though_its_namespace_is_not(stage: Stage) -> None:
    spec = stage.pods()[CLIENT]
    unprivileged(spec)
    assert [container["name"] for container in spec["containers"]] == ["client", "nginx"]
    assert "tolerations" not in spec
    template = stage.one("DaemonSet", "client")["spec"]["template"]
    assert template["metadata"]["annotations"] == {"kubectl.kubernetes.io/default-container": "client"}


def test_agent_has_three_capabilities_on_every_node_and_says_why(stage: Stage) -> None:
    spec = stage.pods()[AGENT]
    assert spec["hostNetwork"] is True
    assert not {"hostPID", "hostIPC"} & {*spec}
    assert spec["tolerations"] == [{"operator": "Exists"}]
    assert spec["securityContext"] == {"runAsUser": 0, "seccompProfile": {"type": "RuntimeDefault"}}
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        **DROP_ALL,
        "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW", "SETGID"]},
    }
    template = stage.one("DaemonSet", "node-agent")["spec"]["template"]
    assert "one exception to least rights" in template["metadata"]["annotations"]["podpath/rights"]


def test_no_pod_holds_a_token_for_the_api(stage: Stage) -> None:
    assert all(spec["automountServiceAccountToken"] is False for spec in stage.pods().values())


def test_servers_know_who_they_are_by_a_token_for_podpath_only(stage: Stage) -> None:
    for spec in lab_pods(stage).values():
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        assert volumes["identity"]["projected"] == {
            "sources": [{"serviceAccountToken": {"audience": "podpath", "path": "token"}}]
        }
        for container in spec["containers"]:
            mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
            assert mounts["identity"] == {"name": "identity", "mountPath": IDENTITY_FOLDER, "readOnly": True}
            assert {*mounts} <= {*volumes}
            assert [m["mountPath"] for n, m in mounts.items() if "emptyDir" in volumes[n]] == ["/tmp"]


def test_images_are_ours_and_never_pulled_twice(stage: Stage) -> None:
    for spec in stage.pods().values():
        for container in spec["containers"]:
            assert container["image"] in IMAGES.names.values()
            assert container["imagePullPolicy"] == "IfNotPresent"


@pytest.mark.parametrize("name", [*LABS, "system"])
def test_each_namespace_enforces_its_level_and_says_whose_it_is(stage: Stage, name: str) -> None:
    level = "privileged" if name == "system" else "restricted"
    namespace = stage.one("Namespace", f"podpath-{name}")
    whose = {**MADE_BY, STACK_LABEL: pulumi.get_stack()}
    assert namespace["metadata"]["labels"] == {"pod-security.kubernetes.io/enforce": level, **whose}
