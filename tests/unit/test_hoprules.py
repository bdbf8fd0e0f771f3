"""The rules that were met, beside the hops where they show: in iptables' words, with the chance."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from scripts.cli import trace as command
from scripts.cli.trace import trace
from scripts.errors import EXIT_OK
from scripts.runs import events
from scripts.runs.document import HopRecord, ProbeRecord
from scripts.runs.metrules import condensed, met
from scripts.runs.traced import TracedRequest
from scripts.suite.run import run
from tests.unit import atlas
from tests.unit.monitored import Monitored
from tests.unit.runs import P, wanted
from tests.unit.world import World

SERVICE = "pod-to-service/service/frontend:80"
BY_IPTABLES = "nat PREROUTING → KUBE-SERVICES → KUBE-SVC-MADE → KUBE-SEP-UP"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Monitored:
    """A cluster whose nodes name rules, under the command."""
    made = Monitored()
    cluster = SimpleNamespace(look=atlas.view, execute=made)
    monkeypatch.setattr(command, "cluster_of", lambda profile: cluster)
    monkeypatch.setattr(command, "restore_alone", lambda profile: None)
    return made


def with_rules(hops: list[HopRecord]) -> list[HopRecord]:
    return [hop for hop in hops if hop.rules]


def traced(made: Monitored, capfd: pytest.CaptureFixture[str], source: str, to: str) -> TracedRequest:
    """A followed request as its JSON."""
    assert trace(source, to, json="-") == EXIT_OK
    return TracedRequest.model_validate_json(capfd.readouterr().out)


def test_a_service_shows_the_chains_and_the_chance(
    made: Monitored, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trace("client-1", SERVICE) == EXIT_OK
    lines = capsys.readouterr().out.splitlines()
    (dnat,) = (n for n, line in enumerate(lines) if line.endswith("  DNAT"))
    pod = lines[dnat].split(" → ")[1].split()[0]
    told = lines[dnat + 1].strip("│ ")
    assert told.startswith(f"{BY_IPTABLES} (") and told.endswith(f" of 3, 33 %): dnat to {pod}")
    assert lines[dnat + 2].strip("│ ") == "(4 rules were met; -v shows each)"
    assert not made.monitors and not made.running


def test_every_rule_is_told_when_asked_for(made: Monitored, capsys: pytest.CaptureFixture[str]) -> None:
    trace("client-1", SERVICE, verbose=True)
    lines = [line.strip("│ ") for line in capsys.readouterr().out.splitlines()]
    first = lines.index("nat PREROUTING: -j KUBE-SERVICES")
    assert lines[first + 1] == "nat KUBE-SERVICES: -p tcp -j KUBE-SVC-MADE"
    assert lines[first + 2] == "nat KUBE-SVC-MADE: jump KUBE-SEP-UP"
    assert not any("rules were met" in line for line in lines)


def test_rules_stand_at_the_hop_after_them(made: Monitored, capfd: pytest.CaptureFixture[str]) -> None:
    record = traced(made, capfd, "client-1", SERVICE)
    (hop,) = with_rules(record.trace.hops)
    assert "DNAT" in hop.changed and hop.rule == hop.rules[-1].text
    choice = hop.rules[-1].choice
    assert choice and (choice.of, round(choice.share or 0, 3)) == (3, 0.333) and 1 <= choice.number <= 3


def test_the_source_is_rewritten_where_the_packet_leaves(
    made: Monitored, capfd: pytest.CaptureFixture[str]
) -> None:
    both = with_rules(traced(made, capfd, "egress/traveller", "outside").trace.hops)
    assert [(hop.node, hop.direction) for hop in both] == [("worker-a", "out"), ("gateway", "out")]
    assert all((hop.changed, hop.rule) == (["SNAT"], "-j MASQUERADE") for hop in both)


def test_a_proxys_own_connection_has_its_rules(made: Monitored, capfd: pytest.CaptureFixture[str]) -> None:
    record = traced(made, capfd, "outside", "pod-to-service/balancer/frontend:80")
    at_gateway, hop = with_rules(record.trace.hops)
    assert (at_gateway.node, at_gateway.leg, at_gateway.rule) == ("gateway", 1, "-j MASQUERADE")
    assert hop.leg == 2 and hop.changed == ["DNAT", "SNAT"]
    dnat, snat = condensed(hop.rules)
    assert dnat.startswith(BY_IPTABLES) and " of 3, 33 %): " in dnat
    assert snat == "nat POSTROUTING: -j MASQUERADE"


def test_receipts_of_traced_probes_have_them_too() -> None:
    records = judged(Monitored(), explain=True)
    trace, by_port = (records[id].receipt.trace for id in ("E1-trace", "I3-trace"))
    assert records["E1-trace"].verdict is P and trace and by_port
    assert [hop.rule for hop in with_rules(trace.hops)] == ["-j MASQUERADE"]
    hop = with_rules(by_port.hops)[-1]
    assert condensed(hop.rules)[0].startswith(BY_IPTABLES)


def test_without_monitors_a_traced_probe_has_its_verdict_and_no_rules() -> None:
    for made, explain in ((World(), True), (Monitored(), False)):
        record = judged(made, explain)["E1-trace"]
        assert record.verdict is P
        assert record.receipt.trace and not with_rules(record.receipt.trace.hops)


def judged(made: World, explain: bool) -> dict[str, ProbeRecord]:
    seen: list[events.Event] = []
    run(wanted("E1-trace I3-trace"), atlas.view(), made, made, [seen.append], explain=explain)
    return {event.probe.id: event.probe for event in seen if isinstance(event, events.ProbeJudged)}


def test_what_a_rule_said_is_told_once(made: Monitored, capfd: pytest.CaptureFixture[str]) -> None:
    hops: list[Any] = with_rules(traced(made, capfd, "client-1", SERVICE).trace.hops)
    assert met(hops[0].rules[0]).count("KUBE-SERVICES") == 1
