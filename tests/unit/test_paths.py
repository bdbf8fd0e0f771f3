"""Expectations about a path, judged by packets on made-up wires: both ways, and never by half a trace."""

from __future__ import annotations

import dataclasses

import pytest

from scripts.checks.answers import AnsweredBy, AnsweredByHost
from scripts.checks.base import Observation
from scripts.checks.paths import (
    BecomesNode,
    ByNodePort,
    CrossesNodes,
    LeavesGateway,
    LeavesNode,
    RewrittenBack,
    StaysOnNode,
)
from scripts.checks.request import Expectation, Get
from scripts.checks.verdict import Failure, Verdict
from scripts.evidence.trace import Trace
from scripts.runs.claims import ClaimVerdict, claim_result
from tests.unit import atlas
from tests.unit.lies import Lies
from tests.unit.runs import EVERY, F, I, P, finding, found, results, step_of

TRACED: dict[str, type[Expectation]] = {
    "P4-frontend-rest": StaysOnNode,
    "P5-database-rest": CrossesNodes,
    "E1-trace": BecomesNode,
    "E2-gateway": LeavesGateway,
    "E4-path": LeavesNode,
    "I3-trace": ByNodePort,
    "I4-balancer": RewrittenBack,
    "I4-nodeport": RewrittenBack,
}
EACH = pytest.mark.parametrize("probe", TRACED)
ALL = {"control", "worker-a", "worker-b"}
BALANCER = "172.18.0.10"


@EACH
def test_the_honest_path_passes_and_is_in_the_receipt(probe: str) -> None:
    seen = results(ids=probe)[probe]
    assert seen.verdict is P, seen
    assert any(" µs  request  " in line for line in seen.receipt.kernel)
    assert any(" µs  reply    " in line for line in seen.receipt.kernel)


def test_every_traced_probe_is_known_here() -> None:
    asked = {probe.id for _, probe in EVERY if isinstance(probe.check, Get) and probe.check.traced}
    denied = {probe.id for _, probe in EVERY if probe.check.negative}  # traced for the rule that ends them
    assert asked - denied == {*TRACED}


@pytest.mark.parametrize(
    ("lies", "probe", "failure", "said"),
    [
        (Lies(detour=True), "P4-frontend-rest", Failure.WRONG_PATH, "seen at worker-a eth0"),
        (Lies(natted=True), "P4-frontend-rest", Failure.NAT_FOUND, "SNAT at worker-a veth-rest-1"),
        (Lies(bridge=""), "P4-frontend-rest", Failure.WRONG_PATH, "ports of no bridge, not of one bridge"),
        (Lies(bridge=""), "P5-database-rest", Failure.WRONG_PATH, "not through bridge and node on both"),
        (Lies(natted=True), "P5-database-rest", Failure.NAT_FOUND, "SNAT at worker-b"),
        (Lies(unrouted=True), "P5-database-rest", Failure.WRONG_PATH, "Only the default route"),
        (Lies(unmasqueraded=True), "E1-trace", Failure.NO_TRANSLATION, "not the node's 172.18.0.2"),
        (Lies(bridge=""), "E4-path", Failure.WRONG_PATH, "not veth, bridge, node interface"),
        (Lies(gate_open=True), "E2-gateway", Failure.NO_TRANSLATION, "no second NAT"),
        (Lies(unmasqueraded=True), "E2-gateway", Failure.WRONG_SOURCE, "as 10.244.1.12, not as the node's"),
        (Lies(direct=True), "I3-trace", Failure.WRONG_PATH, "sent to 10.244.1.13:80, not to the node port"),
        (Lies(disguised=True), "I3-trace", Failure.WRONG_SOURCE, "not the balancer 172.18.0.10"),
        (Lies(silent={BALANCER}), "I3-trace", Failure.WRONG_PATH, "no connection of the balancer's own"),
        (Lies(unrewritten=True), "I4-balancer", Failure.NO_TRANSLATION, "the answer left as 10.244.1.13:80"),
        (Lies(unrewritten=True), "I4-nodeport", Failure.NO_TRANSLATION, "while 172.18.0.3:30101 was asked"),
        (Lies(direct=True), "I4-balancer", Failure.NO_TRANSLATION, "the answer left as 10.244.1.13:80"),
    ],
)  # fmt: skip
def test_another_path_is_noticed(lies: Lies, probe: str, failure: Failure, said: str) -> None:
    seen = finding(lies, probe, TRACED[probe])
    assert (seen.verdict, seen.failure) == (F, failure), seen
    assert said in seen.why


@pytest.mark.parametrize("silent", [BALANCER, "172.18.0.3", "172.18.0.20", "198.18.0.2", "10.244.1.11"])
def test_nobody_at_the_end_breaks_no_judgement(silent: str) -> None:
    """A SYN without an answer is a trace as well: of the way there, with no way back."""
    seen = results(Lies(silent={silent}), " ".join(TRACED))
    red = {id for id, result in seen.items() if result.verdict is not P}
    assert red and all(seen[id].verdict is F for id in red)


@EACH
@pytest.mark.parametrize(
    ("lies", "said"),
    [
        (Lies(overrun=3), "tcpdump lost 3 of 7 packets"),
        (Lies(damaged=True), "is no pcap file"),
        (Lies(uncaptured={"worker-a"}), "You don't have permission to capture"),
        (Lies(agents_down=True), "error dialing backend"),
    ],
)
def test_a_capture_that_fails_leaves_the_path_open(lies: Lies, said: str, probe: str) -> None:
    seen = finding(lies, probe, TRACED[probe])
    assert (seen.verdict, seen.failure) == (I, Failure.NO_EVIDENCE), seen
    assert said in seen.why


@EACH
@pytest.mark.parametrize(
    "lies", [Lies(blind=ALL), Lies(mute={"links"}), Lies(mute={"addresses"}), Lies(mute={"routes"})]
)
def test_interfaces_that_nobody_names_make_no_path_wrong(lies: Lies, probe: str) -> None:
    """What needs no names may still pass: at the gateway only addresses count."""
    seen = finding(lies, probe, TRACED[probe])
    open_ = (I, Failure.NO_EVIDENCE)
    assert (seen.verdict, seen.failure) in ([open_, (P, None)] if probe == "E2-gateway" else [open_]), seen


@pytest.mark.parametrize("probe", ["P5-database-rest", "I4-nodeport", "I3-trace"])
def test_a_node_without_an_agent_leaves_the_path_open(probe: str) -> None:
    """worker-b's agent is not ready: what passes there is not seen, and nobody fails to capture there."""
    shot = atlas.snapshot()
    pods = tuple(dataclasses.replace(pod, ready=pod.name != "agent-worker-b") for pod in shot.pods)
    lame = dataclasses.replace(atlas.view(), snapshot=dataclasses.replace(shot, pods=pods))
    seen = finding(Lies(), probe, TRACED[probe], view=lame)
    assert (seen.verdict, seen.failure) == (I, Failure.NO_EVIDENCE), seen


@EACH
def test_a_gateway_that_cannot_be_watched_matters_to_who_passes_it(probe: str) -> None:
    seen = finding(Lies(uncaptured={"gateway"}), probe, TRACED[probe])
    inside = probe in ("P4-frontend-rest", "P5-database-rest", "E1-trace")
    assert seen.verdict is (P if inside else I), seen


@EACH
def test_a_capture_that_fails_does_not_touch_the_answer(probe: str) -> None:
    assert finding(Lies(uncaptured=ALL), probe, AnsweredBy, AnsweredByHost).verdict is P


@EACH
def test_without_any_trace_nothing_is_said(probe: str) -> None:
    step = step_of(probe)
    check = step.probe.check
    assert isinstance(check, Get)
    expected = next(each for each in check.expect if isinstance(each, TRACED[probe]))
    bare = expected.judge(Observation(step, atlas.view()))
    empty = expected.judge(Observation(step, atlas.view(), trace=Trace(problem="nothing of it was seen")))
    assert (bare.verdict, bare.failure, bare.why) == (I, Failure.NO_EVIDENCE, "nothing was captured")
    assert (empty.verdict, empty.failure) == (I, Failure.NO_EVIDENCE)


def test_the_path_observed_is_told_and_refutes_the_claim() -> None:
    seen = results(Lies(bridge=""), "P4-frontend-rest")
    why = found(seen["P4-frontend-rest"]).why
    assert "veth-front-1 is a port of no bridge and the node routes 10.244.1.10 straight" in why
    claim = claim_result([*seen.values()])
    assert (claim.verdict, claim.told) == (ClaimVerdict.REFUTED, f"P4-frontend-rest: {why}")


def test_the_source_becomes_the_nodes_without_a_bridge_as_well() -> None:
    assert results(Lies(bridge=""), "E1-trace")["E1-trace"].verdict is P


def test_each_hop_names_the_pod_behind_its_veth_and_what_changed() -> None:
    lines = results(ids="E2-gateway")["E2-gateway"].receipt.kernel
    hops = [line for line in lines if " µs  request  " in line]
    assert [line.split("request  ")[1].split(":")[0] for line in hops] == [
        "worker-a veth-traveller-1 in (Pod traveller-1)",
        "worker-a cbr0 in",
        "worker-a eth0 out",
        "gateway eth0 in (towards the nodes)",
        "gateway eth1 out (towards the outside)",
    ]
    assert [line.endswith("SNAT") for line in hops] == [False, False, True, False, True]


def test_a_balancer_that_speaks_to_nodes_is_two_connections() -> None:
    lines = results(ids="I3-trace")["I3-trace"].receipt.kernel
    (opened,) = (line for line in lines if "new connection" in line)
    assert f"worker-b eth0 in: {BALANCER}:" in opened and "→ 172.18.0.3:30101" in opened
    (translated,) = (line for line in lines if "request" in line and "DNAT" in line and "new" not in line)
    assert "→ 10.244.1.13:80" in translated


def test_verdicts_of_one_capture_serve_all_traced_probes_at_once() -> None:
    seen = results(ids=" ".join(TRACED))
    assert {id: result.verdict for id, result in seen.items()} == dict.fromkeys(TRACED, Verdict.PASSED)
