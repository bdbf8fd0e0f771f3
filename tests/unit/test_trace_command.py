"""`scripts/trace` against the made-up cluster: what it draws, what it says, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.commands import trace as command
from scripts.commands.trace import trace
from scripts.errors import EXIT_FAILED, EXIT_OK, PodpathError, UsageError
from scripts.evidence.trace import Hop, Interface, Trace
from scripts.reporting.hops import drawn
from tests.unit import atlas
from tests.unit.lies import Lies
from tests.unit.world import World

SERVICE = "pod-to-service/service/frontend:80"


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a made-up cluster under the command."""

    def put(lies: Lies | None = None) -> World:
        made = World(lies)
        monkeypatch.setattr(command, "view_of", lambda profile: (atlas.view(), made))
        monkeypatch.setattr(command, "RealExecutor", lambda kube: kube)
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
    assert [line.strip() for line in lines[request:answer] if line.startswith("  ") and "µs" not in line] == [
        "worker-a", "gateway",
    ]  # fmt: skip
    changes = [line.rsplit("  ", 1)[1] for line in lines[request:answer] if line.endswith("SNAT")]
    assert changes == ["SNAT", "SNAT"]
    assert any("reverse SNAT" in line for line in lines[answer:])
    assert lines[-1].startswith("answer: HTTP 200 from outside/nginx, which saw 198.18.0.3:")
    assert "Next: scripts/probe kind" in said.err and not made.running


def test_a_service_shows_where_its_address_becomes_a_pods(
    on: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    on()
    assert trace("client-1", SERVICE) == EXIT_OK
    lines = told(capsys)
    (dnat,) = (line for line in lines if line.endswith("  DNAT"))
    assert dnat.split()[2] == "out" or dnat.split()[2] == "in"
    named = dict(line.split(maxsplit=1) for line in lines[1 : lines.index("")])
    assert named[atlas.CLUSTER_IP] == f"Service {atlas.SERVICE_NS}/frontend"
    assert "Pod client-a" in named.values() and any("Pod frontend-" in name for name in named.values())


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
        ("", "", r"FROM and TO are missing: type scripts/trace client-1 "),
        ("client-1", "", r"FROM and TO are missing"),
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
    assert drawn(Trace(), "a → b", {}) == "a → b\n  nothing of it was seen on any node"


def test_a_drawing_names_each_node_once_a_way() -> None:
    veth, wire = Interface("veth1", "pod", "Pod a"), Interface("eth0", "uplink")
    hops = (
        Hop("n1", veth, "in", "1.1.1.1:1", "2.2.2.2:2", "request", 0),
        Hop("n1", wire, "out", "3.3.3.3:1", "2.2.2.2:2", "request", 7, ("SNAT",)),
        Hop("n1", wire, "in", "2.2.2.2:2", "3.3.3.3:1", "reply", 90),
    )
    who = {"1.1.1.1": "Pod a", "2.2.2.2:2": "node port of b"}
    assert drawn(Trace(hops, retransmissions=2), "a → b", who).splitlines() == [
        "a → b",
        "  1.1.1.1    Pod a",
        "  2.2.2.2:2  node port of b",
        "",
        "request",
        "  n1",
        "       0 µs  in   veth1 (Pod a)  1.1.1.1:1 → 2.2.2.2:2",
        "       7 µs  out  eth0           3.3.3.3:1 → 2.2.2.2:2  SNAT",
        "",
        "answer",
        "  n1",
        "      90 µs  in   eth0  2.2.2.2:2 → 3.3.3.3:1",
        "",
        "2 packets were sent again",
    ]
