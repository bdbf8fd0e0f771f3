"""`scripts/trace` against the made-up cluster: what it draws, what it says, and how it ends."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.cli import trace as command
from scripts.cli.trace import trace
from scripts.errors import EXIT_FAILED, EXIT_OK, PodpathError, UsageError
from scripts.evidence.ruletrace import PORTS
from scripts.evidence.trace import Hop, Interface, Trace
from scripts.reporting.hops import drawn
from scripts.runs.document import HopRecord, RuleRecord, TraceRecord
from scripts.runs.traced import TracedRequest
from scripts.suite.follow import TRIED
from scripts.suite.receipt import trace_record
from scripts.transport.executor import Place
from tests.unit import atlas
from tests.unit.lies import Lies
from tests.unit.world import World

SERVICE = "pod-to-service/service/frontend:80"


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a made-up cluster under the command."""

    def put(lies: Lies | None = None) -> World:
        made = World(lies)
        cluster = SimpleNamespace(look=atlas.view, execute=made)
        monkeypatch.setattr(command, "cluster_of", lambda profile: cluster)
        monkeypatch.setattr(command, "restore_alone", lambda profile: None)
        return made

    return put


def told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_a_request_is_drawn_hop_by_hop_both_ways(on: Any, capsys: pytest.CaptureFixture[str]) -> None:
    made = on()
    assert trace("egress/traveller", "outside") == EXIT_OK
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0] == "traveller/nginx → the server beyond the gateway"
    request, answer = lines.index("request"), lines.index("answer")
    assert [line for line in lines[request + 1 : answer] if line and "µs" not in line] == [
        "├─ worker-a",
        "└─ gateway",
    ]
    changes = [line.rsplit("  ", 1)[1] for line in lines[request:answer] if line.endswith("SNAT")]
    assert changes == ["SNAT", "SNAT"]
    assert any("reverse SNAT" in line for line in lines[answer:])
    assert lines[-1].startswith("answer: HTTP 200 from outside/nginx, which saw 198.18.0.3:")
    assert "Next: scripts/probe kind" in said.err and not made.running


def test_a_second_trace_does_not_need_the_port_of_the_first(on: Any) -> None:
    made, asked = on(), list[range]()
    heard = made.__class__.__call__

    def hear(self: World, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60) -> Any:
        if found := re.search(rb"^local-port=(\d+)-(\d+)$", stdin, re.M):
            asked.append(range(int(found[1]), int(found[2]) + 1))
        return heard(self, place, argv, stdin, timeout)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(made.__class__, "__call__", hear)
        for _ in range(8):
            assert trace("client-1", SERVICE) == EXIT_OK
    assert len(asked) == 8 and all(len(one) == TRIED and {*one} <= {*PORTS} for one in asked)
    assert len({one.start for one in asked}) > 1, "each begins at the same port"


def test_a_service_shows_where_its_address_becomes_a_pods(
    on: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    on()
    assert trace("client-1", SERVICE) == EXIT_OK
    lines = told(capsys)
    (dnat,) = (line for line in lines if line.endswith("  DNAT"))
    assert {"in", "out"} & {*dnat.split()}
    named = dict(line.split(maxsplit=1) for line in lines[1 : lines.index("")])
    assert named[atlas.CLUSTER_IP] == f"Service {atlas.SERVICE_NS}/frontend"
    assert "Pod client-a" in named.values() and any("Pod frontend-" in name for name in named.values())


def test_a_trace_is_drawn_as_a_page(on: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    on()
    path = tmp_path / "trace.html"
    assert trace("client-1", SERVICE, html=str(path)) == EXIT_OK
    text = path.read_text()
    assert "Answer: HTTP 200 from frontend" in text and f"Service {atlas.SERVICE_NS}/frontend" in text
    hops = [line for line in told(capsys) if " µs  " in line]
    assert text.count('<li data-step="') == len(hops) > 4


@pytest.mark.parametrize("option", ["html", "json", "pcap"])
def test_a_file_that_cannot_be_written_is_told_before_anything_is_sent(
    on: Any, option: str, tmp_path: Path
) -> None:
    made = on()
    for file in (tmp_path / "none" / "trace", tmp_path):
        with pytest.raises(UsageError, match=r"cannot be written \(.*\): choose another file\.$"):
            trace("client-1", SERVICE, **{option: str(file)})  # type: ignore[arg-type]
    assert made.execs == []


def test_a_file_is_not_there_before_there_is_something_to_write(on: Any, tmp_path: Path) -> None:
    on()
    there, not_there = tmp_path / "there.html", tmp_path / "new.json"
    there.write_text("kept")
    with pytest.raises(UsageError, match="there is no peer"):
        trace("client-1", "nowhere", json=str(not_there), html=str(there))
    assert not not_there.exists() and there.read_text() == "kept"


def test_a_load_balancer_has_its_name(on: Any, capsys: pytest.CaptureFixture[str]) -> None:
    on()
    assert trace("outside", "pod-to-service/balancer/frontend:80") == EXIT_OK
    named = dict(line.split(maxsplit=1) for line in told(capsys)[1:] if line.startswith("  1"))
    assert named[atlas.BALANCER_IP] == f"load balancer of Service {atlas.SERVICE_NS}/frontend"
    assert any(name.startswith("node port of Service ") for name in named.values())


@pytest.mark.parametrize(
    ("same", "other", "node"), [(True, False, "10.244.1.3"), (False, True, "10.244.2.3")]
)
def test_where_chooses_the_pod(
    on: Any, capsys: pytest.CaptureFixture[str], same: bool, other: bool, node: str
) -> None:
    on()
    assert trace("client-1", "pod-to-service/frontend:80", same=same, other=other) == EXIT_OK
    assert any(f"→ {node}:80" in line for line in told(capsys))


def test_the_list_names_peers_of_both_ends(on: Any, capsys: pytest.CaptureFixture[str]) -> None:
    on()
    assert trace(list_=True) == EXIT_OK
    lines = told(capsys)
    assert lines[0] == "FROM" and "TO" in lines and f"  {SERVICE}" in lines


def test_what_cannot_be_seen_is_said_and_is_no_success(on: Any, capsys: pytest.CaptureFixture[str]) -> None:
    on(Lies(uncaptured={"worker-a", "worker-b", "control"}))
    assert trace("client-1", SERVICE) == EXIT_FAILED
    lines = told(capsys)
    assert any("nothing of it was seen" in line for line in lines)
    assert any(line.startswith("answer: HTTP 200") for line in lines)
    assert any(line.startswith("the trace may be incomplete: ") for line in lines)


def test_no_answer_is_told_in_curls_words(on: Any, capsys: pytest.CaptureFixture[str]) -> None:
    on(Lies(silent={"172.18.0.20"}))
    trace("egress/traveller", "near")
    lines = told(capsys)
    assert "answer: none, Couldn't connect to server (curl exit 7)" in lines
    assert "last seen: worker-a eth0 out" in lines


@pytest.mark.parametrize(
    ("source", "to", "said"),
    [
        ("", "", r"FROM and TO are required: try scripts/trace client-1 "),
        ("client-1", "", r"FROM and TO are required"),
        ("clint-1", SERVICE, r"there is no peer 'clint-1': did you mean client-1"),
        ("client-1", "nere", r"there is no peer 'nere': did you mean near\?"),
        ("client-1", "zzz", r"scripts/trace --list names them"),
    ],
)
def test_peers_that_are_none_are_a_usage_error_in_one_sentence(
    on: Any, source: str, to: str, said: str
) -> None:
    on()
    with pytest.raises(UsageError, match=said) as raised:
        trace(source, to)
    assert "\n" not in str(raised.value)


def test_a_path_without_its_slash_is_a_usage_error(on: Any) -> None:
    on()
    with pytest.raises(UsageError, match=r"type --path /whoami\.$"):
        trace("client-1", SERVICE, path="whoami")


def test_a_peer_that_this_cluster_lacks_is_told_in_one_sentence(on: Any) -> None:
    on()
    with pytest.raises(PodpathError, match=r"^the cluster has 2 worker nodes, not 9\.$"):
        trace("client-9", SERVICE)


def test_a_transport_that_fails_is_told_in_one_sentence(on: Any) -> None:
    made = on(Lies(lost={"client"}))
    with pytest.raises(PodpathError, match=r"^the request could not be sent: error dialing backend: EOF\.$"):
        trace("client-1", SERVICE)
    assert not made.running


def test_a_trace_without_hops_is_drawn_in_a_line() -> None:
    assert drawn(trace_record(Trace(), {}), "a → b") == "a → b\n  nothing of it was seen on any node"


def test_a_drawing_names_each_node_once_a_way() -> None:
    veth, wire = Interface("veth1", "pod", "Pod a"), Interface("eth0", "uplink")
    hops = (
        Hop("n1", veth, "in", "1.1.1.1:1", "2.2.2.2:2", "request", 0),
        Hop("n1", wire, "out", "3.3.3.3:1", "2.2.2.2:2", "request", 7, ("SNAT",)),
        Hop("n1", wire, "in", "2.2.2.2:2", "3.3.3.3:1", "reply", 90),
    )
    who = {"1.1.1.1": "Pod a", "2.2.2.2:2": "node port of b"}
    assert drawn(trace_record(Trace(hops, retransmissions=2), who), "a → b").splitlines() == [
        "a → b",
        "  1.1.1.1    Pod a",
        "  2.2.2.2:2  node port of b",
        "",
        "request",
        "└─ n1",
        "   ├─      0 µs  in   veth1 (Pod a)  1.1.1.1:1 → 2.2.2.2:2",
        "   └─      7 µs  out  eth0           3.3.3.3:1 → 2.2.2.2:2  SNAT",
        "",
        "answer",
        "└─ n1",
        "   └─     90 µs  in   eth0  2.2.2.2:2 → 3.3.3.3:1",
        "",
        "2 packets were sent again",
    ]


def hop(**fields: Any) -> HopRecord:
    """A hop of a request, of which only some fields matter."""
    given = {"leg": 1, "way": "request", "node": "n1", "interface": "eth0", "kind": "uplink", "label": ""}
    ends = {"direction": "out", "source": "1.1.1.1:1", "destination": "2.2.2.2:2", "micros": 0, "changed": []}
    return HopRecord.model_validate({**given, **ends, **fields})


def of(*hops: HopRecord) -> TraceRecord:
    return TraceRecord(hops=[*hops], met={}, answer="HTTP", retransmissions=0, problem="")


def rule(chain: str, text: str, verdict: str, decided: bool = False) -> RuleRecord:
    return RuleRecord(table="nat", chain=chain, text=text, verdict=verdict, decided=decided)


def test_what_the_rules_decided_stands_below_the_hop() -> None:
    dnat = "-A KUBE-SEP-X -m comment --comment a/b -j DNAT --to-destination 3.3.3.3:80"
    met = [
        rule("PREROUTING", "counter packets 7 bytes 9 jump KUBE-SERVICES", "JUMP KUBE-SERVICES"),
        rule("KUBE-SERVICES", "-A KUBE-SERVICES -j KUBE-NODE", "JUMP KUBE-NODE"),
        rule("KUBE-NODE", "-A KUBE-NODE -j RETURN", "RETURN"),
        rule("KUBE-SERVICES", "-A KUBE-SERVICES -j KUBE-SEP-X", "JUMP KUBE-SEP-X"),
        rule("KUBE-SEP-X", dnat, "ACCEPT", decided=True),
        rule("POSTROUTING", "", "ACCEPT"),
        rule("FORWARD", "", "DROP", decided=True),
    ]
    last = hop(node="n2", rule="oifname eth0 counter packets 3 bytes 180 masquerade")
    assert drawn(of(hop(rules=[*met, met[-1]], changed=["DNAT"]), last), "a → b").splitlines()[2:] == [
        "request",
        "├─ n1",
        "│  └─      0 µs  out  eth0  1.1.1.1:1 → 2.2.2.2:2  DNAT",
        "│                     nat PREROUTING → KUBE-SERVICES → KUBE-SEP-X: "
        "-j DNAT --to-destination 3.3.3.3:80",
        "│                     nat FORWARD: policy DROP",
        "│                     (8 rules were met; -v shows each)",
        "└─ n2",
        "   └─      0 µs  out  eth0  1.1.1.1:1 → 2.2.2.2:2",
        "                      oifname eth0 masquerade",
    ]


def test_addresses_stand_below_where_a_terminal_is_narrow() -> None:
    trace = of(hop(changed=["SNAT"]), hop(node="n2", direction="in"))
    assert drawn(trace, "a → b", 60) == drawn(trace, "a → b"), "it fits"
    assert drawn(trace, "a → b", 40).splitlines()[2:] == [
        "request",
        "├─ n1",
        "│  └─      0 µs  out  eth0",
        "│                     1.1.1.1:1 → 2.2.2.2:2  SNAT",
        "└─ n2",
        "   └─      0 µs  in   eth0",
        "                      1.1.1.1:1 → 2.2.2.2:2",
    ]


def test_json_alone_goes_to_standard_output(on: Any, capfd: pytest.CaptureFixture[str]) -> None:
    on()
    assert trace("egress/traveller", "outside", json="-") == EXIT_OK
    record = TracedRequest.model_validate_json(capfd.readouterr().out)
    assert (record.source, record.destination) == ("traveller/nginx", "the server beyond the gateway")
    assert record.answer.startswith("HTTP 200 from outside/nginx")
    assert [hop.changed for hop in record.trace.hops if hop.way == "request"] == [
        [],
        [],
        ["SNAT"],
        [],
        ["SNAT"],
    ]


def test_two_outputs_do_not_share_standard_output(on: Any) -> None:
    on()
    said = r"^only one of --json, --pcap and --html can write to standard output\.$"
    with pytest.raises(UsageError, match=said):
        trace("client-1", SERVICE, json="-", pcap="-")


def test_a_trace_without_questions_begins_with_the_trace(on: Any, capsys: pytest.CaptureFixture[str]) -> None:
    on()
    assert trace("client-1", SERVICE) == EXIT_OK
    assert capsys.readouterr().err.startswith("✓ trace ")
