"""The fence is proven by its rules on the host and on every node, and by a packet that the host rejects."""

from __future__ import annotations

import dataclasses

import pytest

from scripts.checks.verdict import Failure, Verdict
from scripts.clusters.kind.fence import node_rules
from scripts.clusters.kind.hostfence import host_table
from tests.unit import atlas
from tests.unit.fences import KIND
from tests.unit.lies import Lies
from tests.unit.runs import F, I, S, finding

RULES = [line.strip() for line in host_table(KIND).splitlines() if " reject " in line]
REJECTS = [rule for rule in node_rules(KIND.pod_ranges[4], KIND.service_ranges[4], []) if "REJECT" in rule]
NODES = {*atlas.NODES}
REFUSED = "Connection refused\n"


@pytest.mark.parametrize("unruled", RULES)
def test_each_rule_of_the_host_is_needed(unruled: str) -> None:
    seen = finding(Lies(unruled={unruled}), "F1-fence")
    entering, bridge = unruled.replace('"', "").split()[:2]
    assert (seen.verdict, seen.failure) == (F, Failure.NOT_FENCED)
    assert seen.why.startswith(f"the host's fence lacks the rule for {entering} {bridge}: ")


def test_there_is_a_rule_for_each_way_over_each_bridge() -> None:
    assert len(RULES) == len({*RULES}) == 2 * len(atlas.OUTSIDE.bridges)


@pytest.mark.parametrize(
    ("lies", "verdict", "failure", "told"),
    [
        # the host
        (Lies(fenceless=True), F, Failure.NOT_FENCED, "the host's half of the fence is gone"),
        (Lies(unruled={*RULES}), F, Failure.NOT_FENCED, "lacks the rule for iifname podpath-net"),
        (Lies(mute={"F1-fence/host"}), I, Failure.NO_EVIDENCE, "cannot be read: not permitted"),
        (Lies(lost={atlas.OUTSIDE.host}), I, Failure.TRANSPORT, ""),
        # the nodes
        (Lies(flushed={"worker-b"}), F, Failure.NOT_FENCED, "the fence of worker-b is incomplete"),
        (Lies(unfenced={"control"}), F, Failure.NOT_FENCED, "the fence of control is incomplete"),
        (Lies(flushed=NODES, unfenced=NODES), F, Failure.NOT_FENCED, "the fence of control is incomplete"),
        (Lies(unruled={REJECTS[0]}), F, Failure.NOT_FENCED, "the fence of control is incomplete"),
        (Lies(unruled={REJECTS[1]}), F, Failure.NOT_FENCED, "the fence of control is incomplete"),
        (Lies(mute={"F1-fence/worker-a"}), I, Failure.NO_EVIDENCE, "the rules of worker-a cannot be read"),
        (Lies(agents_down=True), I, Failure.TRANSPORT, ""),
        # the packet
        (Lies(beyond="connected\nHTTP/1.1 400 Bad Request\r\n\r\n"), F, Failure.NOT_FENCED,
         "the host let a connection pass around the gateway"),
        (Lies(beyond=""), F, Failure.NOT_FENCED, "did not reject what goes around the gateway: no answer"),
        (Lies(beyond=REFUSED), F, Failure.NOT_FENCED, "around the gateway: Connection refused"),
        (Lies(inside=""), I, Failure.CONTROL_FAILED, "cannot reach a node either"),
        (Lies(inside=REFUSED), I, Failure.CONTROL_FAILED, "reach a node either (Connection refused)"),
        (Lies(inside="", beyond=""), I, Failure.CONTROL_FAILED, "no proof"),
        (Lies(lost={atlas.OUTSIDE.near}), I, Failure.TRANSPORT, ""),
        # a hole that is seen is told, whatever else is not
        (Lies(inside="", flushed={"worker-a"}), F, Failure.NOT_FENCED, "the fence of worker-a"),
    ],
)  # fmt: skip
def test_each_lie_is_noticed(lies: Lies, verdict: Verdict, failure: Failure, told: str) -> None:
    seen = finding(lies, "F1-fence")
    assert (seen.verdict, seen.failure) == (verdict, failure), seen
    assert seen.why and told in seen.why


def test_a_stack_without_a_world_outside_has_no_such_fence() -> None:
    assert finding(None, "F1-fence", view=dataclasses.replace(atlas.view(), outside=None)).verdict is S


@pytest.mark.parametrize("gone", [[*atlas.NODES], ["worker-b"]])
def test_a_node_whose_rules_nobody_reads_is_not_passed_over(gone: list[str]) -> None:
    shot, agents = atlas.snapshot(), {f"agent-{node}" for node in gone}
    pods = tuple(dataclasses.replace(pod, ready=pod.name not in agents) for pod in shot.pods)
    view = dataclasses.replace(atlas.view(), snapshot=dataclasses.replace(shot, pods=pods))
    assert finding(None, "F1-fence", view=view).verdict in (F, I)
