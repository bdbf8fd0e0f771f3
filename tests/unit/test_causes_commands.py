"""What a cause says to type, on a cluster of our own and on a given one; a shell understands all of it."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from scripts import causes
from scripts.causes.commands import listing, of_cluster, remade, removal, rewritten, switch, switched
from scripts.causes.scene import HOST, Scene, agent, on_node
from scripts.evidence.world import GATEWAY
from scripts.suite.causes import found_in
from tests.unit import test_causes_nodes, test_causes_packets, test_causes_ways
from tests.unit.atlas import OUTSIDE
from tests.unit.scenes import rule, rules, scene, states

MODULES = (test_causes_nodes, test_causes_packets, test_causes_ways)
SCENES = [case[3] for module in MODULES for case in module.CASES]
PROGRAMS = {"kubectl", "docker", "scripts/up", "sysctl", "ip"}
"""What a command begins with."""
IPTABLES = {"ruleset": rules(filter="[0:0] -A FORWARD -j DROP\n", nat="[0:0] -A PREROUTING -j ACCEPT\n")}
OWN = scene(after=states(worker_a=IPTABLES))
DEBUG = "kubectl debug node/worker-a -it --profile=sysadmin --image=busybox -- chroot /host "


def given(seen: Scene) -> Scene:
    """The same on a cluster that podpath did not make."""
    return replace(seen, view=replace(seen.view, fenced=False, outside=None))


@pytest.mark.parametrize("number", range(len(SCENES)))
def test_every_command_is_one_that_a_shell_understands(number: int) -> None:
    for cause in found_in(SCENES[number]):
        assert cause.look
        for command in filter(None, (cause.look, cause.mend)):
            for part in command.split("; "):
                assert shlex.split(part)[0] in PROGRAMS, (cause.kind, part)


@pytest.mark.parametrize("number", range(len(SCENES)))
def test_on_a_given_cluster_nobody_is_sent_to_docker(number: int) -> None:
    for cause in found_in(given(SCENES[number])):
        if cause.node != GATEWAY:  # the gateway is ours: a given cluster has none
            assert "docker" not in f"{cause.look} {cause.mend}", cause.kind


def test_docker_is_spoken_of_where_it_is_asked_for_whose_cluster_it_is() -> None:
    folder = Path(causes.__path__[0])
    speaking = {
        path.name for path in folder.glob("*.py") if re.search(r"docker (exec|ps|run)", path.read_text())
    }
    assert speaking == {"scene.py", "balancer_gone.py"}


def test_a_switch_is_written_on_the_node_itself() -> None:
    assert (
        switched(OWN, "worker-a", "ipv4/ip_forward", 1)
        == "docker exec worker-a sysctl -w net.ipv4.ip_forward=1"
    )
    assert switched(given(OWN), "worker-a", "ipv4/ip_forward", 1) == f"{DEBUG}sysctl -w net.ipv4.ip_forward=1"
    dotted = switched(OWN, "worker-a", "ipv4/conf/eth0.100/rp_filter", 2)
    assert dotted.endswith("sysctl -w net/ipv4/conf/eth0.100/rp_filter=2")
    for seen in (OWN, given(OWN)):
        assert switch(seen, "worker-a", "ipv4/ip_forward").endswith(" -- cat /proc/sys/net/ipv4/ip_forward")


def test_where_a_place_has_no_agent() -> None:
    assert on_node(OWN, GATEWAY, "ip", "route") == f"docker exec {OUTSIDE.gateway} ip route"
    assert agent(OWN, HOST, "nft", "list", "tables") == f"docker exec {OUTSIDE.host} nft list tables"
    silent = replace(OWN, view=replace(OWN.view, exports={}))
    assert agent(silent, "worker-a", "ip", "link") == "docker exec worker-a ip link"
    assert agent(given(silent), "worker-a", "ip", "link") == f"{DEBUG}ip link"


def test_a_rule_is_listed_and_taken_away_by_the_program_whose_it_is() -> None:
    own = rule("-j DROP", "DROP")
    assert listing(OWN, "worker-a", own).endswith("iptables -t filter -nvL FORWARD --line-numbers")
    assert removal(OWN, "worker-a", own).endswith("iptables -t filter -D FORWARD 1")
    nfts = rule("drop", "DROP", "mine/rules")
    assert listing(OWN, "worker-a", nfts).endswith("nft -a list chain ip mine rules")
    assert removal(OWN, "worker-a", nfts).endswith("nft delete rule ip mine rules handle 7")
    unnumbered = rule("-j DROP", "DROP", number=0)
    assert removal(OWN, "worker-a", unnumbered).endswith("nft delete rule ip filter FORWARD handle 7")


def test_what_a_program_keeps_is_left_to_it() -> None:
    kept = rule("-j DROP", "DROP", "filter/KUBE-FIREWALL")
    assert removal(OWN, "worker-a", kept) == remade(OWN) == of_cluster(OWN) == "scripts/up kind"
    assert of_cluster(given(OWN)) == "" and remade(given(OWN)) == "scripts/up kind"
    found = rewritten(given(OWN), "worker-a")
    assert found == "" or re.fullmatch(r"kubectl -n kube-system delete pod \S+ --now", found)
