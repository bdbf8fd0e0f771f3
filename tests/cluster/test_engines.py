"""The life of the default stack on another Docker Engine than the installed one: up, all claims, down."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.build.debianengine import NotToBeHad, engine_of
from scripts.clusters.kind.networks import network_of
from scripts.clusters.kind.nodes import nodes_of
from scripts.stack.profile import profile_of
from scripts.transport.docker import docker
from scripts.transport.process import run
from tests.cluster.conftest import Command
from tests.cluster.test_life import EXPECTED, verdicts_of

PROFILE = profile_of("kind")


@contextmanager
def stranger() -> Iterator[Callable[[str], bool]]:
    """A host on another network of this machine; gives whether it reaches the kubelet at an address."""
    name = "podpath-test-stranger"
    inside = ["ip", "netns", "exec", name]
    dial = "import socket, sys; socket.create_connection((sys.argv[1], 10250), 3)"
    run(["ip", "netns", "add", name])
    try:
        run(["ip", "link", "add", "pp-test", "type", "veth", "peer", "name", "eth0", "netns", name])
        run(["ip", "addr", "add", "198.18.9.1/30", "dev", "pp-test"])
        run(["ip", "link", "set", "pp-test", "up"])
        run([*inside, "ip", "addr", "add", "198.18.9.2/30", "dev", "eth0"])
        run([*inside, "ip", "link", "set", "eth0", "up"])
        run([*inside, "ip", "route", "add", "default", "via", "198.18.9.1"])
        yield lambda ip: run([*inside, sys.executable, "-c", dial, ip], check=False).returncode == 0
    finally:
        run(["ip", "netns", "delete", name])


@pytest.mark.parametrize("major", ["28"])
def test_every_claim_is_judged_alike_on_a_newer_engine_and_its_open_networks_are_closed(
    scripts: Command, major: str, tmp_path: Path
) -> None:
    assert scripts("down").returncode == 0
    report = tmp_path / "run.json"
    try:
        with engine_of(major) as version:
            doctor = scripts("doctor")
            assert version.split("+")[0] in doctor.stdout
            assert "closes direct routes to containers" in " ".join(doctor.stdout.split())
            try:
                assert scripts("up", "--no-probe").returncode == 0
                network = network_of(PROFILE.network)
                assert network and "nat-unprotected" in network.options.values()
                assert scripts("probe", "--json", report).returncode == 0
                with stranger() as reaches:
                    node = next(iter(nodes_of(PROFILE.cluster).values())).split()[-1]
                    assert not reaches(node)
                    docker("exec", PROFILE.host, "nft", "delete", "table", "inet", PROFILE.fence_table)
                    assert reaches(node), "without the fence the mode lets strangers in: the test can fail"
                    assert scripts("up", "--no-probe").returncode == 0
                    assert not reaches(node)
            finally:
                down = scripts("down")
            assert down.returncode == 0 and "Certified" in down.stdout
    except NotToBeHad as reason:
        pytest.skip(str(reason))
    assert verdicts_of(json.loads(report.read_text())) == EXPECTED
