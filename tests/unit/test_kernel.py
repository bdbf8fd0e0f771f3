"""Expectations about the kernel: translations, rules, veths, bridges; a missing view leaves them open."""

from __future__ import annotations

import dataclasses

import pytest

from scripts.checks.translation import NotTranslated
from scripts.checks.verdict import Failure, Verdict
from scripts.evidence.identity import HEADER_NONCE
from scripts.runs.claims import ClaimVerdict, claim_result
from tests.unit import atlas
from tests.unit.lies import Lies
from tests.unit.runs import F, I, P, finding, results
from tests.unit.world import World

ALL = ("control", "worker-a", "worker-b")
ONE = ("frontend-1",)
FOREIGN = ("frontend-1", "frontend-2", "spare")


@pytest.mark.parametrize(
    ("lies", "probe", "verdict", "failure"),
    [
        # clusterIP → Pod
        (Lies(untranslated=True), "S6-1-80", F, Failure.NO_TRANSLATION),
        (Lies(untracked=True), "S6-1-80", F, Failure.NO_TRANSLATION),
        (Lies(natted=True), "S6-1-80", F, Failure.NAT_FOUND),
        (Lies(listener=f"{atlas.CLUSTER_IP}:80"), "S6-1-80", F, Failure.UNEXPECTED_ANSWER),
        (Lies(listener=f"{atlas.CLUSTER_IP}:80"), "S6-1-8080", P, None),
        (Lies(listener="0.0.0.0:80"), "S6-1-80", P, None),
        (Lies(agents_down=True), "S6-1-80", I, Failure.NO_EVIDENCE),
        (Lies(blind={"worker-b"}), "S6-1-80", I, Failure.NO_EVIDENCE),
        (Lies(mute={"listeners"}), "S6-1-80", I, Failure.NO_EVIDENCE),
        # no NAT
        (Lies(natted=True), "E3-node", F, Failure.NAT_FOUND),
        (Lies(untracked=True), "P1-client-1-rest", I, Failure.NO_EVIDENCE),
        (Lies(untracked=True), "E3-node", I, Failure.NO_EVIDENCE),
        (Lies(agents_down=True), "P1-client-2-rest", I, Failure.NO_EVIDENCE),
        # the node's own address
        (Lies(unmasqueraded=True), "E3-other", F, Failure.NO_TRANSLATION),
        (Lies(uncounted=True), "E1-node", F, Failure.NO_TRANSLATION),
        (Lies(uncounted=True), "E3-other", F, Failure.NO_TRANSLATION),
        (Lies(untracked=True), "E1-node", F, Failure.NO_TRANSLATION),
        (Lies(agents_down=True), "E1-node", I, Failure.NO_EVIDENCE),
        (Lies(agents_down=True), "E3-other", I, Failure.NO_EVIDENCE),
        (Lies(mute={"addresses"}), "E3-other", I, Failure.NO_EVIDENCE),
        (Lies(blind={"worker-b"}), "E3-other", P, None),
        # kube-proxy's tables
        (Lies(table={"worker-b": ONE}), "S4", F, Failure.TABLES_DIFFER),
        (Lies(table=dict.fromkeys(ALL, ONE)), "S4", F, Failure.TABLES_DIFFER),
        (Lies(table=dict.fromkeys(ALL, FOREIGN)), "S4", F, Failure.TABLES_DIFFER),
        (Lies(table=dict.fromkeys(ALL, ())), "S4", F, Failure.TABLES_DIFFER),
        (Lies(agents_down=True), "S4", I, Failure.NO_EVIDENCE),
        (Lies(mute={"iptables"}), "S4", I, Failure.NO_EVIDENCE),
        (Lies(mute={"nft"}), "S4", P, None),
        # the mode in force
        (Lies(mode="ipvs"), "S9-force", F, Failure.WRONG_MODE),
        (Lies(mode="nftables"), "S9-force", F, Failure.WRONG_MODE),
        (Lies(mode=""), "S9-force", I, Failure.NO_EVIDENCE),
        (Lies(blind={"control"}), "S9-force", I, Failure.NO_EVIDENCE),
        # shares
        (Lies(only="frontend-1"), "S2-1", F, Failure.NOT_BALANCED),
        (Lies(early=True), "S2-2", F, Failure.NOT_BALANCED),
        (Lies(headers={HEADER_NONCE: "C1.00000000.0"}), "S2-1", F, Failure.NOT_BALANCED),
        (Lies(silent={atlas.CLUSTER_IP}), "S2-1", F, Failure.REFUSED),
        (Lies(dropped="S2-1."), "S2-1", I, Failure.NOT_BALANCED),
        (Lies(lost={"client"}), "S2-1", I, Failure.TRANSPORT),
        (Lies(agents_down=True), "S2-1", I, Failure.NO_EVIDENCE),
        (Lies(table={"worker-b": ONE}), "S2-1", P, None),
        (Lies(table={"worker-b": ONE}), "S2-2", I, Failure.NOT_BALANCED),
        (Lies(table={"worker-b": ()}), "S2-2", I, Failure.NOT_BALANCED),
        # veths and the bridge
        (Lies(crossed={"client-a": "frontend"}), "P2-client-1", F, Failure.NO_VETH),
        (Lies(crossed={"client-a": "frontend"}), "P2-client-2", P, None),
        (Lies(crossed={"rest-1": "client-b"}), "P2-rest", F, Failure.NO_VETH),
        (Lies(crossed={"client-a": "frontend"}), "P3-client-1", F, Failure.NO_VETH),
        (Lies(bridge=""), "P2-client-1", P, None),
        (Lies(bridge=""), "P3-client-1", F, Failure.NO_BRIDGE),
        (Lies(bridge="cni0"), "P3-database", F, Failure.NO_BRIDGE),
        (Lies(agents_down=True), "P2-frontend", I, Failure.NO_EVIDENCE),
        (Lies(mute={"links"}), "P3-frontend", I, Failure.NO_EVIDENCE),
        (Lies(mute={"P2-rest/interface"}), "P2-rest", I, Failure.NO_ANSWER),
        (Lies(blind={"worker-b"}), "P3-frontend", P, None),
    ],
)  # fmt: skip
def test_each_lie_is_noticed(lies: Lies, probe: str, verdict: Verdict, failure: Failure | None) -> None:
    seen = finding(lies, probe)
    assert (seen.verdict, seen.failure) == (verdict, failure), seen
    assert seen.why or verdict is P


@pytest.mark.parametrize("probe", ["P1-client-2-rest", "E3-pod"])
def test_conntrack_alone_notices_a_translation(probe: str) -> None:
    assert finding(Lies(natted=True), probe, NotTranslated).failure is Failure.NAT_FOUND
    assert finding(Lies(), probe, NotTranslated).verdict is P


def test_an_address_that_is_not_translated_is_told_with_the_kernels_own_line() -> None:
    why = finding(Lies(untranslated=True), "S6-1-80").why
    assert why.startswith(f"netfilter on worker-a did not translate {atlas.CLUSTER_IP}: ipv4 ")
    assert "translated the source too" in finding(Lies(natted=True), "S6-1-80").why


@pytest.mark.parametrize("id", ["P3-client-1", "P3-rest"])
def test_a_routed_path_is_refuted_here_and_told_in_words(id: str) -> None:
    red = finding(Lies(bridge=""), id)
    veth, ip = {"P3-rest": ("veth-rest-1", "10.244.1.11")}.get(id, ("veth-client-a", "10.244.1.9"))
    assert red.why.startswith(f"here the path is another: {veth} is a port of no bridge")
    assert f"the node routes {ip} straight to {veth}" in red.why and "cross no bridge" in red.why
    assert "other nodes' Pod ranges go by host-gw" in red.why
    claim = claim_result([*results(Lies(bridge=""), id).values()])
    assert claim.verdict is ClaimVerdict.REFUTED and claim.told == f"{id}: {red.why}"


def test_another_bridge_is_named() -> None:
    assert "is a port of the bridge cni0, which is the Pods' gateway 10.244.1.1/24" in (
        finding(Lies(bridge="cni0"), "P3-client-1").why
    )


def test_differing_tables_are_told_by_node_and_share() -> None:
    why = finding(Lies(table={"worker-b": ONE}), "S4").why
    assert "gives 10.244.1.3:80 33.3% on control, 100.0% on worker-b" in why
    foreign = finding(Lies(table=dict.fromkeys(ALL, FOREIGN)), "S4").why
    assert foreign == (
        "kube-proxy on control sends frontend:80 to 10.244.1.3:80, 10.244.1.7:80, 10.244.2.3:80, "
        "the endpoints are 10.244.1.3:80, 10.244.2.3:80, 10.244.2.4:80"
    )


def test_the_table_of_the_only_node_is_compared_with_the_endpoints() -> None:
    shot = atlas.snapshot()
    workers = tuple(node for node in shot.nodes if node.name == "worker-a")
    lone = dataclasses.replace(atlas.view(), snapshot=dataclasses.replace(shot, nodes=workers))
    alone = finding(Lies(), "S4", view=lone)
    assert (alone.verdict, alone.why) == (P, "worker-a, the only node, has just the ready endpoints")
    assert finding(Lies(table={"worker-a": FOREIGN}), "S4", view=lone).failure is Failure.TABLES_DIFFER


def test_a_sample_says_how_many_it_took_and_against_what() -> None:
    seen = results(ids="S2-1 S2-2")
    for id in ("S2-1", "S2-2"):
        facts = seen[id].receipt.api
        assert facts["decision"] == "fair" and "frontend-3" in facts["rule"]
        assert len(seen[id].receipt.client) == facts["asked"] > 30
        assert "follow the rules' shares" in facts["told"] and seen[id].receipt.kernel


def test_a_request_without_a_report_is_no_second_vote_of_another() -> None:
    """Rounds of few answers: each counts once, though they are decided upon only after several."""
    seen = results(Lies(lossy=10), "S2-1")["S2-1"]
    nonces = [told["nonce"] for told in seen.receipt.client]
    assert seen.receipt.api["asked"] == len({*nonces}) == len(nonces)
    assert len(nonces) > 15, "one round was enough"


def test_what_rules_counted_is_in_the_receipt() -> None:
    kernel = results(ids="S6-1-80")["S6-1-80"].receipt.kernel
    (counted,) = (line for line in kernel if f"at {atlas.CLUSTER_IP}:80/tcp counted +" in line)
    assert counted.startswith("worker-a: rule podpath-pod-to-service/frontend:p80")
    assert "10.244.1.3:80 33.3% +" in counted


def test_what_replaced_the_source_is_in_the_receipt_with_its_count() -> None:
    kernel = results(ids="E1-node")["E1-node"].receipt.kernel
    (counted,) = (line for line in kernel if "FLANNEL-POSTRTG" in line)
    assert counted.startswith("worker-a: rule -A FLANNEL-POSTRTG -s 10.244.0.0/16 ")
    assert counted.endswith(" counted +1")


def test_the_mode_in_force_is_told_of_each_node() -> None:
    seen = results(ids="S9-force")["S9-force"]
    assert seen.verdict is P and seen.why == ", ".join(f"iptables on {node}" for node in atlas.NODES)


class Skewed(World):
    """Every node gives the Service's first Pod three of five connections, though it has two other ones."""

    def _rules(self, node: str) -> str:
        return super()._rules(node).replace("--probability 0.33333333333", "--probability 0.6")


def test_shares_that_are_wrong_alike_on_every_node_are_wrong() -> None:
    seen = results(ids="S4", made=Skewed())["S4"]
    assert (seen.verdict, seen.failure) == (F, Failure.WRONG_SHARE)
    assert seen.why == (
        f"kube-proxy on control gives 10.244.1.3:80 60.0% of frontend:{atlas.CLUSTER_IP}:80/tcp, not 33.3% "
        "as each of its 3 endpoints"
    )


@pytest.mark.parametrize(
    ("missing", "still", "open_"),
    [
        ("conntrack/10.244.1.9", ("P2-client-1", "P3-frontend", "S4", "S9-force"), ("E1-node",)),
        ("listeners", ("P2-client-1", "P3-frontend", "S4"), ("S6-1-80",)),
        ("iptables", ("P2-client-1", "P3-frontend", "S6-1-80"), ("S4", "S9-force")),
        ("links", ("S4", "S9-force"), ("P3-frontend",)),
    ],
)
def test_what_is_missing_of_a_node_leaves_only_open_what_needs_it(
    missing: str, still: tuple[str, ...], open_: tuple[str, ...]
) -> None:
    seen = results(Lies(mute={missing, "conntrack/10.244.1.12"}), " ".join([*still, *open_]))
    assert {id: seen[id].verdict for id in still} == dict.fromkeys(still, P)
    assert {id: seen[id].failure for id in open_} == dict.fromkeys(open_, Failure.NO_EVIDENCE)
