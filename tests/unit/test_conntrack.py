from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.evidence.conntrack import Entry, Flow, Index, parse
from scripts.evidence.links import Wiring
from scripts.evidence.nodeview import FEW, commands, connections, listeners, node_view
from scripts.transport.frames import Output
from tests.unit import nodes

SAMPLE = """\
ipv4     2 tcp      6 119 TIME_WAIT src=10.244.2.12 dst=10.244.2.15 sport=58146 dport=80 src=10.244.2.15 dst=10.244.2.12 sport=80 dport=58146 [ASSURED] mark=0 use=1
ipv4     2 tcp      6 119 TIME_WAIT src=10.244.2.12 dst=10.96.46.233 sport=39172 dport=80 src=10.244.1.15 dst=10.244.2.12 sport=80 dport=39172 [ASSURED] mark=0 use=1
ipv4     2 tcp      6 119 TIME_WAIT src=172.21.0.7 dst=172.21.0.3 sport=42614 dport=32578 src=10.244.2.15 dst=172.21.0.3 sport=80 dport=5205 [ASSURED] mark=0 use=1
ipv4     2 tcp      6 57 SYN_SENT src=10.244.2.12 dst=10.244.9.9 sport=39999 dport=80 [UNREPLIED] src=10.244.9.9 dst=10.244.2.12 sport=80 dport=39999 mark=0 zone=3 use=1
tcp      6 431999 ESTABLISHED src=172.21.0.2 dst=172.21.0.4 sport=42070 dport=6443 src=172.21.0.4 dst=172.21.0.2 sport=6443 dport=42070 [ASSURED] mark=0 secctx=system_u use=1
ipv4     2 udp      17 23 src=10.244.2.12 dst=10.96.0.10 sport=3999 dport=53 src=10.244.0.2 dst=10.244.2.12 sport=53 dport=3999 mark=0 use=1
conntrack v1.4.7 (conntrack-tools): 6 flow entries have been shown.
"""  # noqa: E501


def test_real_lines() -> None:
    direct, service, balancer, unreplied, plain, dns = parse(SAMPLE)
    assert direct.original == Flow("10.244.2.12", "10.244.2.15", 58146, 80)
    assert not direct.translated
    assert service.translated and service.reply.src == "10.244.1.15"
    assert balancer.translated and balancer.reply.dst == "172.21.0.3"
    assert [e.state for e in (direct, unreplied, plain)] == ["TIME_WAIT", "SYN_SENT", "ESTABLISHED"]
    assert not unreplied.translated and not plain.translated
    assert (dns.state, dns.original.dst, dns.reply.src) == ("", "10.96.0.10", "10.244.0.2")


ADDRESS = st.ip_addresses(v=4).map(str)
PORT = st.integers(0, 65535)
FLOW = st.builds(Flow, ADDRESS, ADDRESS, PORT, PORT)


@given(
    FLOW,
    FLOW,
    st.sampled_from(["SYN_SENT", "ESTABLISHED", "TIME_WAIT", "CLOSE"]),
    st.booleans(),
    st.booleans(),
)
def test_what_is_printed_is_read_back(
    original: Flow, reply: Flow, state: str, layer3: bool, answered: bool
) -> None:
    def shown(flow: Flow) -> str:
        return f"src={flow.src} dst={flow.dst} sport={flow.sport} dport={flow.dport}"

    line = f"tcp      6 119 {state} {shown(original)} {'' if answered else '[UNREPLIED] '}{shown(reply)} mark=0 use=1"  # noqa: E501
    entry = parse(("ipv4     2 " if layer3 else "") + line)[0]
    assert (entry.original, entry.reply, entry.state) == (original, reply, state)
    assert entry.translated == (
        (reply.src, reply.sport, reply.dst, reply.dport)
        != (original.dst, original.dport, original.src, original.sport)
    )


@given(st.text())
def test_anything_can_be_parsed(text: str) -> None:
    for entry in parse(text):
        assert isinstance(entry, Entry)


def test_index_finds_a_connection_from_both_ends() -> None:
    entries = parse(SAMPLE)
    index = Index({"a": entries, "b": entries[:1]})
    client = ("10.244.2.12", 58146)
    elsewhere = ("10.96.46.233", 80)
    assert [node for node, _ in index.of(client, elsewhere, "10.244.2.15")] == ["a", "b"]
    assert [node for node, _ in index.of(client, ("10.244.2.15", 80))] == ["a", "b"]
    assert index.of(client, ("10.244.2.15", 81)) == []
    assert index.of(client, elsewhere) == []
    assert [e.original.src for _, e in index.towards("172.21.0.3:5205", "10.244.2.15")] == ["172.21.0.7"]
    assert index.towards("172.21.0.3:5205", "10.244.1.15") == []
    assert len(index.at(("10.244.9.9", 80))) == 1


def test_a_port_that_is_used_again_stands_for_the_connection_that_was_answered() -> None:
    asked, client = ("10.96.0.80", 80), ("10.244.1.9", 44618)
    before, now = (
        Entry(Flow(*client[:1], asked[0], client[1], 80), Flow(ip, client[0], 80, client[1]), "TIME_WAIT", "")
        for ip in ("10.244.1.3", "10.244.2.3")
    )
    index = Index({"a": [before, now]})
    assert index.of(client, asked, "10.244.2.3") == [("a", now)]
    assert index.of(client, asked, "10.244.1.3") == [("a", before)]
    assert index.of(client, asked, "10.244.2.9") == index.of(client, asked) == [("a", now)]


SS = """\
LISTEN 0      4096   127.0.0.11:44841 0.0.0.0:*
LISTEN 0      4096            *:10250       *:*
LISTEN 0      128    127.0.0.1%lo:53   0.0.0.0:*
LISTEN 0      4096        [::1]:10256    [::]:*
"""


def test_listeners_of_ss() -> None:
    assert listeners(SS) == {("127.0.0.11", 44841), ("*", 10250), ("127.0.0.1", 53), ("::1", 10256)}


@given(st.text())
def test_listeners_of_anything(text: str) -> None:
    listeners(text)


def outputs(conntrack: Output, **others: Output) -> dict[str, Output]:
    node = "worker-b"
    texts = {
        "links": nodes.links(node, "cbr0"),
        "addresses": nodes.addresses(node, "cbr0"),
        "routes": nodes.routes(node, "cbr0"),
        "fdb": nodes.fdb(node, "cbr0"),
        "iptables": nodes.iptables({}, {}, 0),
        "listeners": SS,
        "bridge": "1\n",
        "mode": "iptables",
    }
    told = {key: Output(text, 0) for key, text in texts.items()}
    return told | {"nft": Output("Error\n", 1), "conntrack/10.244.2.12": conntrack} | others


ASKED = commands(["10.244.2.12"])


def test_node_view_takes_all_sections() -> None:
    view = node_view(outputs(Output(SAMPLE, 0)), ASKED)
    assert len(view.entries) == 6 and view.addresses == {"127.0.0.1", "172.18.0.3", "10.244.2.1"}
    assert view.filters_bridge and view.proxy_mode == "iptables" and ("127.0.0.1", 53) in view.listeners
    assert view.wiring.named("cbr0") and view.rules.masquerades
    assert view.lacks() == ""


def test_a_failing_collector_is_a_problem_and_no_exception() -> None:
    denied = node_view(outputs(Output("conntrack: Operation not permitted\n", 1)), ASKED)
    assert denied.lacks() == "conntrack/10.244.2.12: conntrack: Operation not permitted"
    nothing = node_view({}, ASKED)
    assert "no answer" in nothing.lacks() and not nothing.filters_bridge


@pytest.mark.parametrize("key", ["links", "addresses", "routes", "fdb"])
def test_a_wiring_that_cannot_be_read_is_a_problem_and_leaves_the_rest(key: str) -> None:
    for output in (Output("not permitted\n", 1), Output("no json", 0)):
        view = node_view(outputs(Output(SAMPLE, 0), **{key: output}), ASKED)
        assert view.lacks(["wiring"]) and view.wiring == Wiring() and len(view.entries) == 6


@pytest.mark.parametrize("key", ["bridge", "nft", "mode"])
def test_what_a_node_need_not_have_is_no_problem(key: str) -> None:
    assert node_view(outputs(Output(SAMPLE, 0), **{key: Output("nothing\n", 1)}), ASKED).lacks() == ""


def test_a_few_clients_are_listed_one_by_one_and_many_by_one_search() -> None:
    few, many = [f"10.244.1.{n}" for n in range(2, 2 + FEW)], [f"10.244.{n}.2" for n in range(1, 201)]
    assert [argv[-1] for argv in connections(few).values()] == sorted(few)
    (argv,) = connections(many).values()
    assert argv[4].splitlines() == [f"src={ip} " for ip in sorted(many)]


@pytest.mark.parametrize(
    ("program", "found", "code"),
    [
        ("echo 'src=10.0.0.1 dst=x'; echo 'src=10.0.0.10 dst=x'; echo told >&2", "src=10.0.0.1 dst=x\n", 0),
        ("echo 'src=10.0.0.3 dst=x'", "", 0),
        ("echo 'src=10.0.0.2 dst=x'; exit 4", "src=10.0.0.2 dst=x\n", 4),
    ],
)
def test_the_search_finds_whole_addresses_and_tells_how_the_listing_ended(
    program: str, found: str, code: int
) -> None:
    (argv,) = connections(["10.0.0.1", "10.0.0.2", *(f"10.1.0.{n}" for n in range(FEW))]).values()
    done = subprocess.run([*argv[:5], "sh", "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == (found, code)
