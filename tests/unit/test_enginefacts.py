"""What an engine tells of itself, what of it podpath cannot work with, and what it does otherwise."""

from __future__ import annotations

import json
import platform
from typing import Any

import pytest

from scripts.build import enginefacts
from scripts.build.enginefacts import EngineFacts, check_engine, facts_from
from scripts.errors import PodpathError

OVERLAY = [["Backing Filesystem", "extfs"], ["Supports d_type", "true"], ["Native Overlay Diff", "true"]]
SECCOMP = ["name=seccomp,profile=builtin", "name=cgroupns"]
ROOTLESS = (
    "this Docker Engine is rootless, and podpath's nodes and fence need one that runs as root: "
    "choose it with `docker context use default`, or install Docker's system-wide engine."
)

BOOKWORM = {
    "ServerVersion": "20.10.24+dfsg1",
    "Driver": "overlay2",
    "DriverStatus": OVERLAY,
    "SecurityOptions": ["name=apparmor", "name=seccomp,profile=default"],
}
FORKY = {
    "ServerVersion": "28.5.2+dfsg4",
    "Driver": "overlayfs",
    "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]],
    "SecurityOptions": SECCOMP,
    "FirewallBackend": {"Driver": "iptables"},
}
NFTABLES = {
    "ServerVersion": "29.1.3",
    "Driver": "overlayfs",
    "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]],
    "SecurityOptions": SECCOMP,
    "FirewallBackend": {"Driver": "nftables", "Info": [["ReloadedAt", "2025-07-16T16:59:14Z"]]},
}
OF_A_USER = {
    "ServerVersion": "27.5.1",
    "Driver": "fuse-overlayfs",
    "DriverStatus": None,
    "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"],
}
FAR = {"ServerVersion": "27.5.1", "KernelVersion": "6.10.14-linuxkit", "Name": "docker-desktop"}
ELSEWHERE = (
    "the Docker Engine that answers is on another machine or in a virtual one (docker-desktop, kernel "
    "6.10.14-linuxkit), and podpath needs one on this machine: unset DOCKER_HOST and DOCKER_CONTEXT, "
    "or choose it with `docker context use default`."
)
SAMPLES: list[tuple[dict[str, Any], EngineFacts, str, list[str]]] = [
    (BOOKWORM, EngineFacts("20.10.24+dfsg1"), "", []),
    (FORKY, EngineFacts("28.5.2+dfsg4", False, True, "iptables"), "", ["direct rout", "containerd"]),
    (NFTABLES, EngineFacts("29.1.3", False, True, "nftables"), "",
     ["direct rout", "containerd", "nftables"]),
    (OF_A_USER, EngineFacts("27.5.1", rootless=True), ROOTLESS, []),
    (FAR, EngineFacts("27.5.1", kernel="6.10.14-linuxkit", name="docker-desktop"), ELSEWHERE, []),
    ({**BOOKWORM, "ServerVersion": "19.03.15"}, EngineFacts("19.03.15"),
     "Docker Engine 19.03.15 is older than 20.10: install a newer one.", []),
]  # fmt: skip


@pytest.mark.parametrize(("info", "facts"), [(info, facts) for info, facts, _, _ in SAMPLES])
def test_an_engine_is_read_from_its_info(info: dict[str, Any], facts: EngineFacts) -> None:
    assert facts_from(json.loads(json.dumps(info))) == facts


@pytest.mark.parametrize(
    ("facts", "obstacle", "particulars"),
    [(facts, obstacle, particulars) for _, facts, obstacle, particulars in SAMPLES],
)
def test_its_obstacle_is_one_sentence_and_its_particulars_are_phrases(
    facts: EngineFacts, obstacle: str, particulars: list[str]
) -> None:
    assert facts.obstacle() == obstacle
    phrases = facts.particulars()
    assert len(phrases) == len(particulars)
    assert all(word in phrase for word, phrase in zip(particulars, phrases, strict=True)), phrases


@pytest.mark.parametrize(
    ("version", "major", "protects"),
    [
        ("27.5.1", 27, False),
        ("28.0.0-rc.1", 28, True),
        ("29.0.0", 29, True),
        ("100.1", 100, True),
        ("", 0, False),
        ("dev", 0, False),
    ],
)
def test_the_major_version_decides_about_direct_routing(version: str, major: int, protects: bool) -> None:
    assert (EngineFacts(version).major, EngineFacts(version).protects_containers) == (major, protects)


@pytest.mark.parametrize("missing", ["SecurityOptions", "DriverStatus", "FirewallBackend"])
@pytest.mark.parametrize("absent", [True, False], ids=["absent", "null"])
def test_what_an_engine_does_not_tell_is_not_there(missing: str, absent: bool) -> None:
    info = {key: value for key, value in NFTABLES.items() if key != missing}
    facts = facts_from(info if absent else {**info, missing: None})
    assert not facts.rootless and facts.version == "29.1.3"
    assert facts.containerd_store == (missing != "DriverStatus")
    assert facts.firewall == ("" if missing == "FirewallBackend" else "nftables")


@pytest.mark.parametrize(("info", "obstacle"), [(info, obstacle) for info, _, obstacle, _ in SAMPLES])
def test_only_an_engine_with_an_obstacle_is_refused(
    info: dict[str, Any], obstacle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []

    def docker(*argv: str) -> str:
        asked.append(argv)
        return json.dumps(info if argv[0] == "info" else None)

    monkeypatch.setattr(enginefacts, "docker", docker)
    told = ""
    try:
        check_engine()
    except PodpathError as error:
        told = str(error)
    assert told == obstacle and asked[0] == ("info", "--format", "{{json .}}")


def test_podmans_engine_is_known_by_its_components_and_an_own_kernel_by_its_release() -> None:
    podman = facts_from({"ServerVersion": "4.9.3"}, [{"Name": "Podman Engine"}, {"Name": "Conmon"}])
    assert podman.obstacle().startswith(
        "what answers is Podman 4.9.3, and podpath needs Docker Engine: unset"
    )
    here = facts_from({"ServerVersion": "28.0.0", "KernelVersion": platform.release()}, [{"Name": "Engine"}])
    assert here.obstacle() == ""
