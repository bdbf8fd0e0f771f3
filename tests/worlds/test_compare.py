"""Recorded runs compared: what a person is told of the difference between two real clusters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scripts.evidence.identity import HEADER_PEER
from scripts.runs.compare import compare
from scripts.runs.comparison import Comparison, Direction
from scripts.runs.document import CauseRecord, FeatureRecord, HopRecord, ProbeRecord, Run, TraceRecord
from tests.worlds.world import recorded

SAME, OTHER, OUT, IN = "same node", "other node", "out of the cluster", "into the cluster"
Change = Callable[[ProbeRecord], ProbeRecord]


def paths(differs: Comparison, chosen: bool = False) -> dict[str, list[str]]:
    return {one.words: one.probes for one in differs.paths if one.chosen is chosen}


def changed(run: Run, change: Change, **fields: Any) -> Run:
    """The run with each probe changed, and with other fields."""
    return run.model_copy(update={"probes": [*map(change, run.probes)], **fields})


def with_hops(id: str, change: Callable[[list[HopRecord]], list[HopRecord]]) -> Change:
    """Changes the hops of one probe's trace."""

    def put(probe: ProbeRecord) -> ProbeRecord:
        trace = probe.receipt.trace
        if probe.id != id or trace is None:
            return probe
        new: TraceRecord = trace.model_copy(update={"hops": change(trace.hops)})
        return probe.model_copy(update={"receipt": probe.receipt.model_copy(update={"trace": new})})

    return put


def with_clients(change: Callable[[ProbeRecord, dict[str, Any]], dict[str, Any]]) -> Change:
    """Changes what the client saw of each request."""

    def put(probe: ProbeRecord) -> ProbeRecord:
        client = [change(probe, one) for one in probe.receipt.client]
        return probe.model_copy(update={"receipt": probe.receipt.model_copy(update={"client": client})})

    return put


# --- whole worlds -----------------------------------------------------------------------------------


def test_a_run_and_itself_differ_in_nothing() -> None:
    run = recorded("kind")
    differs = compare(run, run)
    empty = {"claims", "probes", "findings", "paths", "causes", "versions", "features", "nodes", "timings"}
    assert {name: part for name, part in differs if name in empty and part} == {}
    assert not differs.worse and differs.before == differs.after


def test_a_cluster_with_bridges_where_there_were_none() -> None:
    differs = compare(recorded("kind-ptp"), recorded("kind"))
    assert paths(differs) == {
        f"{SAME}: ptp → bridge cbr0": ["P4-frontend-rest"],
        f"{OTHER}: ptp → bridge cbr0": ["P5-database-rest"],
        f"{OUT}: ptp → bridge cbr0": ["E1-trace", "E2-gateway", "E4-path"],
        f"{IN}: ptp → bridge cbr0": ["I4-balancer", "I4-nodeport"],
    }
    assert paths(differs, chosen=True) == {f"{IN}: one node more": ["I3-trace"]}
    assert {one.id: one.direction for one in differs.claims} == dict.fromkeys(
        ("P3", "P4", "P5", "E4"), Direction.BETTER
    )
    assert not differs.worse


def test_the_other_way_round_it_is_worse_and_says_why() -> None:
    differs = compare(recorded("kind"), recorded("kind-ptp"))
    assert differs.worse and f"{SAME}: bridge cbr0 → ptp" in paths(differs)
    worse = {one.id: one for one in differs.probes if one.direction is Direction.WORSE}
    assert worse["P4-frontend-rest"].after == "failed (wrong-path)"
    assert "ports of no bridge" in worse["P4-frontend-rest"].why
    assert "S10-frontend" not in worse, "what is skipped says nothing"
    assert differs.nodes == []


def test_another_mode_of_kube_proxy_is_a_finding_and_no_other_path() -> None:
    differs = compare(recorded("kind"), recorded("kind-nftables"))
    assert differs.paths == [] and differs.claims == [] and not differs.worse
    ((name, before, after),) = ((one.name, one.before, one.after) for one in differs.findings)
    assert name == "S9-force" and before.startswith("iptables on ") and after.startswith("nftables on ")


def test_a_masquerade_that_is_gone_is_told_where_it_was() -> None:
    differs = compare(recorded("kind"), recorded("nomasq"))
    assert paths(differs) == {
        f"{OUT}: no answer any more; the request was last seen going out at eth0 of the node": ["E1-trace"],
        f"{OUT}: no answer any more; the request was last seen coming in at eth0 of the router": [
            "E2-gateway",
            "E4-path",
        ],
        f"{OUT}: NAT gone: SNAT, before at eth0 of the node": ["E1-trace", "E2-gateway", "E4-path"],
    }
    back = paths(compare(recorded("nomasq"), recorded("kind")))
    assert f"{OUT}: NAT appeared: SNAT at eth0 of the node" in back and f"{OUT}: answered again" in back


# --- mutations of one world -------------------------------------------------------------------------


def tunnelled(hops: list[HopRecord]) -> list[HopRecord]:
    """The way of a cluster with a tunnel: what is inside of it is not seen at the nodes' own interfaces."""
    return [
        hop.model_copy(update={"interface": "flannel.1", "kind": "tunnel"}) if hop.kind == "uplink" else hop
        for hop in hops
    ]


def with_tunnel(hops: list[HopRecord]) -> list[HopRecord]:
    """The same with both seen."""
    more = {"interface": "flannel.1", "kind": "tunnel"}
    return [
        one for hop in hops for one in ([hop.model_copy(update=more), hop] if hop.kind == "uplink" else [hop])
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (with_tunnel, "2 hops more: flannel.1 of the first node, flannel.1 of the second node"),
        (tunnelled, "the node's interface → flannel.1"),
        (lambda hops: [hop.model_copy(update={"bridge": None}) for hop in hops], ""),
        (lambda hops: [hop for hop in hops if hop.kind != "bridge"], "bridge cbr0 → ptp"),
        (
            lambda hops: [
                hop.model_copy(update={"interface": "cni0"}) if hop.kind == "bridge" else hop for hop in hops
            ],
            "bridge cbr0 → bridge cni0",
        ),
        (
            lambda hops: [
                hop.model_copy(update={"changed": ["SNAT"] if number == 2 else []})
                for number, hop in enumerate(hops)
            ],
            "NAT appeared: SNAT at eth0 of the first node",
        ),
        (
            lambda hops: [
                hop.model_copy(update={"changed": ["reverse SNAT"] if number == 10 else []})
                for number, hop in enumerate(hops)
            ],
            "only the answer: NAT appeared: reverse SNAT at cbr0 of the first node",
        ),
    ],
)
def test_each_kind_of_change_of_a_path_has_its_words(
    change: Callable[[list[HopRecord]], list[HopRecord]], told: str
) -> None:
    run = recorded("kind")
    differs = compare(run, changed(run, with_hops("P5-database-rest", change)))
    assert paths(differs) == ({f"{OTHER}: {told}": ["P5-database-rest"]} if told else {})


def test_documents_that_do_not_know_bridges_are_not_taken_for_clusters_without() -> None:
    run = recorded("kind")
    unknowing = with_hops(
        "P4-frontend-rest", lambda hops: [hop.model_copy(update={"bridge": None}) for hop in hops]
    )
    assert compare(changed(run, unknowing), run).paths == []


def test_a_path_that_may_be_incomplete_is_not_compared() -> None:
    run = recorded("kind")

    def lossy(probe: ProbeRecord) -> ProbeRecord:
        trace = probe.receipt.trace
        if probe.id != "P5-database-rest" or trace is None:
            return probe
        new = trace.model_copy(update={"hops": trace.hops[:2], "problem": "tcpdump lost 3 of 9 packets"})
        return probe.model_copy(update={"receipt": probe.receipt.model_copy(update={"trace": new})})

    assert compare(run, changed(run, lossy)).paths == []


def test_nat_is_seen_without_a_trace_too() -> None:
    run = recorded("kind")

    def natted(probe: ProbeRecord) -> ProbeRecord:
        if probe.id != "P1-client-1-rest":
            return probe
        server = [{**one, HEADER_PEER: "10.244.1.1:40000"} for one in probe.receipt.server]
        return probe.model_copy(update={"receipt": probe.receipt.model_copy(update={"server": server})})

    words = "NAT appeared: the server sees another address than the client's own"
    assert paths(compare(run, changed(run, natted))) == {words: ["P1-client-1-rest"]}


def test_causes_come_go_and_stay() -> None:
    run = recorded("kind")

    def cause(kind: str, what: str, *explains: str) -> CauseRecord:
        return CauseRecord(kind=kind, what=what, node="n1", evidence=[], explains=[*explains])

    old = run.model_copy(
        update={"causes": [cause("dns", "n1 drops DNS", "a"), cause("nat", "n1: 10.0.0.1 is gone", "b")]}
    )
    new = run.model_copy(
        update={"causes": [cause("mtu", "n1: MTU 1400", "c"), cause("nat", "n1: 10.0.0.9 is gone", "b", "d")]}
    )
    told = [(one.change, one.cause.kind) for one in compare(old, new).causes]
    assert told == [("came", "mtu"), ("went", "dns"), ("stayed", "nat")]


def test_versions_features_and_nodes() -> None:
    run = recorded("kind")
    gone = [
        FeatureRecord(
            name=one.name, there=one.there and one.name != "Ingress", reason="nothing advertises one"
        )
        for one in run.cluster.features
    ]
    nodes = [run.cluster.nodes[0].model_copy(update={"ready": False}), *run.cluster.nodes[1:-1]]
    cluster = run.cluster.model_copy(update={"features": gone, "nodes": nodes})
    new = run.model_copy(update={"environment": {**run.environment, "kernel": "7.0"}, "cluster": cluster})
    differs = compare(run, new)
    ((kernel, before, after),) = ((one.name, one.before, one.after) for one in differs.versions)
    assert (kernel, before, after) == ("kernel", run.environment["kernel"], "7.0")
    assert [(one.name, one.before, one.after, one.reason) for one in differs.features] == [
        ("Ingress", "yes", "no", "nothing advertises one")
    ]
    assert [(one.before, one.after) for one in differs.nodes] == [("ready", "not ready"), ("ready", "")]


# --- timings ----------------------------------------------------------------------------------------


def slower(factor: float, *labs: str) -> Change:
    """All requests (of these labs) take so many times as long."""

    def put(probe: ProbeRecord, one: dict[str, Any]) -> dict[str, Any]:
        took = one.get("time_total")
        hit = isinstance(took, float) and (not labs or probe.lab in labs)
        return {**one, "time_total": took * factor} if hit and took is not None else one

    return with_clients(put)


def test_requests_that_all_take_much_longer_are_told() -> None:
    run = recorded("kind")
    (told,) = compare(run, changed(run, slower(4))).timings
    assert told.what == "requests of all labs" and told.told.endswith("4.0 times as long")
    assert compare(run, changed(run, slower(2))).timings == []


def test_a_lab_that_alone_takes_longer_is_told_by_its_name() -> None:
    run = recorded("kind")
    assert [one.what for one in compare(run, changed(run, slower(9, "ingress-l7"))).timings] == [
        "requests of ingress-l7"
    ]


def test_what_goes_both_ways_is_noise_however_large() -> None:
    run = recorded("kind")
    probes = [slower(9 if number % 3 else 1 / 9)(probe) for number, probe in enumerate(run.probes)]
    assert compare(run, run.model_copy(update={"probes": probes})).timings == []


def test_other_runs_say_what_is_usual() -> None:
    run = recorded("kind")
    twice = changed(run, slower(2))
    assert [one.what for one in compare(run, twice, [run] * 4).timings] == ["requests of all labs"]
    assert compare(run, twice, [run, run, run, changed(run, slower(1.9))]).timings == []
    assert "all that 4 other runs of this stack took" in compare(run, twice, [run] * 4).noise


def test_runs_of_other_probes_do_not_say_what_is_usual() -> None:
    run = recorded("kind")
    part = run.model_copy(update={"probes": run.probes[:3]})
    cut = run.model_copy(update={"complete": False})
    differs = compare(run, changed(run, slower(2)), [part, cut] * 4)
    assert differs.timings == [] and differs.noise.startswith("with no other run of this stack")


def later(run: Run, seconds: float, **fields: Any) -> Run:
    """The run whose kernel evidence took so much longer."""
    longer = [
        one.model_copy(update={"seconds": one.seconds + seconds}) if one.what == "evidence: kernel" else one
        for one in run.timings
    ]
    return run.model_copy(update={"timings": longer, **fields})


def test_a_step_is_told_where_other_runs_say_what_is_usual() -> None:
    run = recorded("kind")
    usual = [later(run, seconds) for seconds in (0, 1, 2, 3)]
    assert compare(run, later(run, 5)).timings == []
    assert [one.what for one in compare(run, later(run, 5), usual).timings] == ["evidence: kernel"]
    assert compare(run, later(run, 3.2), usual).timings == []
    assert compare(run, later(run, 5, complete=False), usual).timings == []
