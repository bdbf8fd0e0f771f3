"""The pcapng file of a trace, read by a reader that is not ours (scapy)."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.utils import RawPcapNgReader

from scripts.checks.destinations import Host, Service
from scripts.checks.peers import Client, Destination, Outside, Source
from scripts.evidence.capture import SNAP
from scripts.evidence.pcap import SLL2
from scripts.evidence.pcapng import Seen, pcapng
from scripts.suite.follow import Followed, follow
from scripts.suite.packetfile import packet_file, without_one_clock
from tests.unit import atlas
from tests.unit.lies import Lies
from tests.unit.test_trace_command import rule
from tests.unit.world import World

SERVICE = Service("pod-to-service", "frontend", 80)
Packet = tuple[bytes, Any]


def followed(to: Destination, source: Source | None = None, lies: Lies | None = None) -> Followed:
    made: Any = SimpleNamespace(look=atlas.view, execute=World(lies))
    return follow(source or Client(0), to, "/whoami", atlas.view(), made)


def read(data: bytes) -> tuple[list[str], list[Packet]]:
    """The interfaces' names, and the packets."""
    file: Any = io.BytesIO(data)
    reader = RawPcapNgReader(file)
    packets = [*reader]
    assert {(link, snap) for link, snap, _ in reader.interfaces} <= {(SLL2, SNAP)}
    return [options["name"].decode() for _, _, options in reader.interfaces], packets


def comments(packets: list[Packet]) -> list[str]:
    return ["\n".join(one.decode() for one in meta.comments or []) for _, meta in packets]


def ends(frame: bytes) -> tuple[str, str]:
    """Source and destination in a frame, behind the 20 bytes of its SLL2 header."""
    src, dst = (".".join(map(str, frame[at : at + 4])) for at in (32, 36))
    return src, dst


def test_all_nodes_and_the_gateway_are_joined_in_time() -> None:
    data, count, interfaces = packet_file(followed(Host("outside")), "client-1 → outside")
    names, packets = read(data)
    assert names == [
        "worker-a/veth-client-a (Pod client-a)",
        "worker-a/cbr0",
        "worker-a/eth0",
        "gateway/eth0 (towards the nodes)",
        "gateway/eth1 (towards the outside)",
    ]
    assert (count, interfaces) == (len(packets), len(names)) and count == 20
    times = [(meta.tshigh << 32) + meta.tslow for _, meta in packets]
    assert times == sorted(times) and all(meta.tsresol == 10**9 for _, meta in packets)
    there = [meta.ifname.decode() for _, meta in packets[:5]]
    assert there == names, "the SYN passes them in this order"
    assert [meta.direction for _, meta in packets[:5]] == [1, 1, 2, 1, 2]
    assert b"podpath: client-1 \xe2\x86\x92 outside" in data


def test_each_rewriting_is_told_at_the_packet_that_shows_it() -> None:
    names, packets = read(packet_file(followed(Host("outside")), "t")[0])
    told = [
        (meta.ifname.decode(), ends(frame)[0], said)
        for (frame, meta), said in zip(packets, comments(packets), strict=True)
        if "request, hop" in said
    ]
    assert [(name, source) for name, source, _ in told] == [
        (names[0], "10.244.1.9"),
        (names[1], "10.244.1.9"),
        (names[2], atlas.NODES["worker-a"]),
        (names[3], atlas.NODES["worker-a"]),
        (names[4], atlas.OUTSIDE.gateway_outside_ip),
    ]
    assert [said.partition("\n")[0] for _, _, said in told] == [f"request, hop {n} of 5" for n in range(1, 6)]
    snat = [said.partition("\n")[2] for _, _, said in told]
    assert snat[2] == "SNAT: 10.244.1.9:40000 → 198.18.0.2:80 became 172.18.0.2:40000 → 198.18.0.2:80"
    assert [bool(said) for said in snat] == [False, False, True, False, True]


def test_the_rule_that_rewrote_it_is_told_with_it() -> None:
    seen = followed(SERVICE)
    dnat = next(hop for hop in seen.trace.hops if "DNAT" in hop.changed)
    text = "-A KUBE-SEP-X -j DNAT --to-destination 10.244.2.3:80"
    met = [
        rule("PREROUTING", "-A PREROUTING -j KUBE-SEP-X", "JUMP KUBE-SEP-X"),
        rule("KUBE-SEP-X", text, "DNAT"),
    ]
    leaves = next(hop for hop in seen.trace.hops if hop.kind == "uplink")
    assert (dnat.node, dnat.kind) == (leaves.node, "bridge"), "rules are told where it leaves the node"
    told = {"rules": met, "rule": text}
    hops = [hop.model_copy(update=told) if hop is leaves else hop for hop in seen.trace.hops]
    trace = seen.trace.model_copy(update={"hops": hops})
    _, packets = read(packet_file(replace(seen, trace=trace), "t")[0])
    line = "by the rule: nat PREROUTING → KUBE-SEP-X: -j DNAT --to-destination 10.244.2.3:80"
    ruled = [meta.ifname for (_, meta), said in zip(packets, comments(packets), strict=True) if line in said]
    assert ruled == [b"worker-a/cbr0"] * 2, "the SYN's and the request's"


def test_nothing_of_other_connections_is_in_the_file() -> None:
    """The captures have everything on the wires; the file is for handing around."""
    made: Any = SimpleNamespace(look=atlas.view, execute=World())
    view = atlas.view()
    follow(Outside(), SERVICE, "/whoami", view, made)
    seen = follow(Client(0), Host("outside"), "/whoami", view, made)
    _, packets = read(packet_file(seen, "t")[0])
    assert {address for frame, _ in packets for address in ends(frame)} == {
        "10.244.1.9", "172.18.0.2", "198.18.0.2", "198.18.0.3",
    }  # fmt: skip


def test_a_request_without_an_answer_shows_its_syns() -> None:
    seen = followed(Host("near"), lies=Lies(silent={atlas.OUTSIDE.near_ip}))
    _, packets = read(packet_file(seen, "t")[0])
    assert [said.partition("\n")[0] for said in comments(packets)][:3] == [
        f"request, hop {number} of 3" for number in range(1, 4)
    ]


def test_clocks_that_differ_are_said_and_no_rewriting_is_told() -> None:
    view, seen, out = atlas.view(), followed(SERVICE), followed(Host("outside"))
    assert {hop.node for hop in seen.trace.hops} == {"worker-a", "worker-b"}
    assert without_one_clock(seen.trace, view, World()) == ""
    other = World(Lies(boots={"worker-b": "another kernel"}))
    why = without_one_clock(seen.trace, view, other)
    assert why == "the nodes are different machines, each with a clock of its own"
    assert without_one_clock(out.trace, view, other) == "", "it does not pass that node"
    lost = without_one_clock(out.trace, view, World(Lies(lost={atlas.OUTSIDE.gateway})))
    assert lost == "it is not known whether gateway has the clock of the others"
    data, _, _ = packet_file(seen, "t", why)
    assert {*comments(read(data)[1])} == {""}
    assert f"The order of packets of different nodes is unknown: {why}.".encode() in data


def test_a_trace_that_saw_nothing_is_an_empty_file() -> None:
    seen = followed(SERVICE, lies=Lies(uncaptured={"worker-a", "worker-b", "control"}))
    data, packets, interfaces = packet_file(seen, "t")
    assert (packets, interfaces) == (0, 0) and read(data) == ([], [])


@given(
    st.lists(st.tuples(st.integers(0, 2**62), st.binary(max_size=99), st.text(max_size=40)), max_size=6),
    st.text(max_size=30),
)
def test_any_frame_and_comment_reads_back(frames: list[tuple[int, bytes, str]], name: str) -> None:
    frames = [(at, b"\0" * 20 + data, said.encode(errors="ignore").decode()) for at, data, said in frames]
    name = "eth0/" + name.encode(errors="ignore").decode()
    seen = [Seen(0, at, "out", data, len(data) + 7, said) for at, data, said in frames]
    names, packets = read(pcapng([(name, "")], seen, "", SNAP))
    told = sorted(frames, key=lambda one: one[0])
    assert [data for data, _ in packets] == [data for _, data, _ in told]
    assert [meta.wirelen for _, meta in packets] == [len(data) + 7 for _, data, _ in told]
    assert [(meta.tshigh << 32) + meta.tslow for _, meta in packets] == [at for at, _, _ in told]
    assert comments(packets) == [said for _, _, said in told] and names == [name]


def test_every_block_says_its_length_at_both_ends_and_ends_on_a_word() -> None:
    data, at = packet_file(followed(SERVICE), "t")[0], 0
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        assert length % 4 == 0 and struct.unpack_from("<I", data, at + length - 4) == (length,)
        at += length
    assert at == len(data)


def test_the_command_writes_the_file_and_says_what_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from scripts.cli import trace as command

    made: Any = SimpleNamespace(look=atlas.view, execute=World())
    monkeypatch.setattr(command, "cluster_of", lambda profile: made)
    monkeypatch.setattr(command, "restore_alone", lambda profile: None)
    file = tmp_path / "t.pcapng"
    assert command.trace("egress/traveller", "outside", pcap=str(file)) == 0
    assert f"20 packets at 5 interfaces are in {file}\n" in capsys.readouterr().err
    assert len(read(file.read_bytes())[1]) == 20
