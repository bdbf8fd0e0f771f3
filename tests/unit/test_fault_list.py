"""The list of faults: each can be read as a prediction, and together they cover the claims and the causes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from labs import every_probe
from labs.claims import CLAIMS
from scripts.checks.verdict import Failure, Verdict
from scripts.cli._breaking import fitting, shown
from scripts.cli.faults import listing
from scripts.errors import UsageError
from scripts.fault import every_fault
from scripts.fault._base import Fault, matches
from scripts.runs.document import CauseRecord, ProbeRecord
from scripts.runs.proof import FaultRecord
from scripts.stack.profile import profile_of
from scripts.suite.predict import asked, missed, reds, unknown

IDS = {probe.id for _, probe in every_probe()}
EACH = pytest.mark.parametrize("name", every_fault())
CAUSES = {
    *("rule_drops", "rule_rejects", "no_route", "forwarding_off", "reverse_path"),
    *("nat_flushed", "proxy_dead", "proxy_frozen", "proxy_behind", "no_masquerade"),
    *("bridge_filter_off", "too_big", "packet_loss", "veth_off_bridge", "hairpin_off"),
    *("wrong_mtu", "dns_silent", "dns_down", "dns_refuses"),
    *("dns_stale", "dead_endpoint", "foreign_endpoint", "selector_empty", "port_closed"),
    *("pod_not_ready", "address_taken", "session_affinity", "traffic_policy", "balancer_gone"),
    *("no_configuration", "node_down", "fence_open", "agent_down", "policy_denies"),
}
"""The causes that a damage of the cluster can have.

The others: proxy variables are the machine's; the limit of a kind node's connection table is the machine's,
and filling it would cut the way by which it is undone.
"""


@EACH
def test_a_fault_is_a_prediction_that_can_be_read(name: str) -> None:
    fault = every_fault()[name]
    assert unknown(fault, IDS) == []
    classes = {one for text in fault.must.values() for one in text.split("|")}
    assert classes <= {"", "skipped", *map(str, Failure)}
    assert fault.claims and {*fault.claims} <= {*CLAIMS}
    assert fault.harmless or (fault.must and fault.symptom and len(fault.hints) == 3)
    words = " ".join([fault.symptom, fault.hints[0] if fault.hints else ""])
    assert fault.cause not in words.split()


def test_every_claim_has_a_fault_that_turns_one_of_its_probes() -> None:
    patterns = {pattern for fault in every_fault().values() for pattern in fault.must}
    turned = {probe.claim for _, probe in every_probe() if matches(probe.id, patterns)}
    assert {*CLAIMS} - turned == set()


def test_every_cause_has_a_fault() -> None:
    assert CAUSES - {fault.cause for fault in every_fault().values()} == set()
    assert len(every_fault()) >= 40


def test_a_fault_that_needs_a_policy_engine_is_for_the_stack_that_has_one() -> None:
    plain, enforcing = profile_of("kind"), profile_of("kind-policy")
    needing = {name for name, fault in every_fault().items() if fault.enforced}
    assert needing == {"policy_closes"}
    assert {*fitting(enforcing)} - {*fitting(plain)} == needing
    assert {*shown(enforcing, "policy_closes,synack")} == {"policy_closes", "synack"}
    assert {*shown(plain, "policy_closes,synack")} == {"synack"}
    with pytest.raises(UsageError, match="type it for stack kind-policy"):
        shown(plain, "policy_denies")
    assert "policy_denies), on a stack with a NetworkPolicy engine" in listing(every_fault())


def test_the_same_exit_code_has_different_causes() -> None:
    """Reason mutants: for each failure class that curl's exit code alone would give, several causes."""
    causes: dict[str, set[str]] = {}
    for fault in every_fault().values():
        for classes in fault.must.values():
            for one in classes.split("|"):
                causes.setdefault(one, set()).add(fault.cause)
    for failure in ("timed-out", "refused", "wrong-source", "size-lost", "wrong-responder"):
        assert len(causes[failure]) >= 2, failure


# --- the comparison ---------------------------------------------------------------------------------------

FAULT = Fault(
    "it is broken", lambda site: [], {"S6-1-*": "timed-out", "S4": ""}, "rule_drops", claims=("S6",)
)


def records(**verdicts: str) -> list[ProbeRecord]:
    """A record for each probe: ``S6_1_80="failed timed-out"``."""
    found = []
    for id, told in verdicts.items():
        verdict, _, failure = told.partition(" ")
        found.append(
            ProbeRecord(
                id=id.replace("_", "-"),
                claim="S6",
                lab="lab",
                sentence="asks",
                verdict=Verdict(verdict),
                failure=Failure(failure) if failure else None,
            )
        )
    return found


ALL = {"S6_1_80": "failed timed-out", "S6_1_8080": "failed timed-out", "S4": "inconclusive no-evidence"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"S6_1_80": "passed"}, ["S6-1-80: passed"]),
        ({"S6_1_80": "failed refused"}, ["S6-1-80: refused, not timed-out"]),
        ({"S4": "skipped"}, ["S4: skipped"]),
    ],
)
def test_what_did_not_notice_is_named(change: dict[str, str], said: list[str]) -> None:
    assert missed(FAULT, records(**{**ALL, **change})) == said


def test_a_probe_that_was_not_asked_has_not_noticed() -> None:
    assert missed(FAULT, records(S4="failed")) == ["S6-1-*: no such probe was asked"]


def test_a_red_that_nobody_predicted_is_false() -> None:
    found = reds(FAULT, records(**ALL, C1="failed wrong-namespace", P1="passed"))
    assert [(one.id, one.predicted) for one in found][-1] == ("C1", False)
    assert fault_record(reds=found).false == ["C1"]


def test_what_a_fault_affects_is_asked_with_its_controls() -> None:
    wanted = {probe.id for _, probe in asked(every_fault()["fence_open"], every_probe())}
    assert {"F1-fence", "S6-1-80"} <= wanted and "I11" not in wanted
    rests = {probe.id for _, probe in asked(every_fault()["frozen"], every_probe())}
    assert {"S3", "S6-1-80", "S2-1", "S4"} <= rests


def fault_record(reds: Sequence[object] = (), **more: object) -> FaultRecord:
    told = {"id": "x", "what": "it is broken", "claims": ["S6"], "cause": "rule_drops", "node": "w2"}
    return FaultRecord.model_validate({**told, "reds": [*reds], **more})


def cause(kind: str, node: str, warning: bool = False) -> CauseRecord:
    return CauseRecord(kind=kind, what=f"{node} is broken", node=node, evidence=["x"], warning=warning)


@pytest.mark.parametrize(
    ("named", "called"),
    [
        ([], False),
        ([cause("rule_drops", "w2")], True),
        ([cause("rule_drops", "w2"), cause("no_route", "w1")], True),
        ([cause("no_route", "w1"), cause("rule_drops", "w2")], False),
        ([cause("rule_drops", "w1")], False),
    ],
)
def test_only_the_first_cause_counts_and_it_has_to_name_the_node(
    named: list[CauseRecord], called: bool
) -> None:
    assert fault_record(named=named).called is called


def test_where_nothing_is_wrong_a_warning_is_no_name() -> None:
    harmless = fault_record(cause="", node="")
    assert harmless.noticed and harmless.called
    assert harmless.model_copy(update={"named": [cause("policy", "", warning=True)]}).called
    assert not harmless.model_copy(update={"named": [cause("no_route", "w1")]}).called
    red = reds(FAULT, records(S4="failed"))
    assert not harmless.model_copy(update={"reds": red}).noticed


def test_what_is_left_is_a_verdict_of_its_own() -> None:
    fine = fault_record(reds=reds(FAULT, records(**ALL)))
    assert fine.noticed and fine.restored
    assert not fine.model_copy(update={"left": ["+ w2 rules: -A FORWARD -j DROP"]}).restored
    assert not fine.model_copy(update={"still": ["S4: no answer"]}).restored
    assert not fine.model_copy(update={"problem": "it could not be applied"}).noticed
    assert replace(FAULT, cause="").harmless
