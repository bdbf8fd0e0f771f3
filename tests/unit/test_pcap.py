from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scripts.evidence.pcap import Flag, Packet, read, statistics

# Recorded in network namespaces: nodes "a" and "b" with a bridge cbr0 each, joined by a third bridge.
SAMPLES = Path(__file__).parent / "samples"
SAME_NODE = (SAMPLES / "same-node.pcap").read_bytes()
FIRST = 24 + 16
"""Where the first frame starts."""
LENGTHS = st.sampled_from([0, 1, 19, 20, 39, 40, 59, 60, 61, 80])


def big_endian(data: bytes) -> bytes:
    """The same capture as a big-endian machine writes it."""
    said = bytearray(struct.pack(">IHHiIII", *struct.unpack("<IHHiIII", data[:24])))
    at = 24
    while at < len(data):
        head = struct.unpack("<IIII", data[at : at + 16])
        said += struct.pack(">IIII", *head) + data[at + 16 : at + 16 + head[2]]
        at += 16 + head[2]
    return bytes(said)


def patched(at: int, new: bytes) -> bytes:
    return SAME_NODE[:at] + new + SAME_NODE[at + len(new) :]


def of_one(frame: bytes) -> bytes:
    """A capture of this one frame."""
    return SAME_NODE[:24] + struct.pack("<IIII", 1, 2, len(frame), len(frame)) + frame


def test_a_real_handshake() -> None:
    packets, whole = read(SAME_NODE)
    syn, forwarded, accepted = packets[:3]
    assert whole and len(packets) == 24
    assert syn == Packet(
        syn.time_ns, 111, "other", "0a:00:00:00:01:02", "10.50.1.2", 58150, "10.50.1.3", 8080, syn.seq, 0,
        Flag.SYN, b"", 0,
    )  # fmt: skip
    assert (forwarded.ifindex, forwarded.direction, forwarded.seq) == (112, "out", syn.seq)
    assert accepted.flags == Flag.SYN | Flag.ACK and accepted.ack == syn.seq + 1
    assert 0 < accepted.time_ns - syn.time_ns < 1_000_000
    assert syn.time_ns == 1795560388_700960387


def test_a_real_request_and_its_answer() -> None:
    packets, _ = read((SAMPLES / "dnat-a.pcap").read_bytes())
    request, answer = (
        next(p for p in packets if p.payload.startswith(start)) for start in (b"GET ", b"HTTP/")
    )
    assert request.payload.endswith(b"X-Podpath-Nonce: run7-demo-01\r\nConnection: close\r\n\r\n")
    assert request.length == len(request.payload) and request.flags == Flag.PSH | Flag.ACK
    assert answer.ack == request.seq + request.length
    assert {p.direction for p in packets if p.ifindex == 2} == {"in", "out"}
    assert {p.direction for p in packets if p.ifindex == 111} == {"other", "out"}
    assert any(p.flags & Flag.FIN for p in packets)


def test_the_times_units_and_both_byte_orders() -> None:
    micro = (SAMPLES / "same-node-micro.pcap").read_bytes()
    assert all(p.time_ns % 1000 == 0 for p in read(micro)[0])
    assert any(p.time_ns % 1000 for p in read(SAME_NODE)[0])
    for data in (micro, SAME_NODE):
        assert data[:4] != big_endian(data)[:4] and read(big_endian(data)) == read(data)
    assert read(micro)[0][0].time_ns // 10**9 - read(SAME_NODE)[0][0].time_ns // 10**9 in (0, 1)


@pytest.mark.parametrize(("cut", "left"), [(1, 23), (15, 23), (72, 23), (87, 23), (89, 22)])
def test_a_truncated_last_record_is_told(cut: int, left: int) -> None:
    assert read(SAME_NODE[:-cut]) == (read(SAME_NODE)[0][:left], False)


def test_an_empty_capture_is_whole() -> None:
    assert read(SAME_NODE[:24]) == ((), True)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "has 0 bytes"),
        (SAME_NODE[:23], "has 23 bytes"),
        (b"\x0a\x0d\x0d\x0a" + SAME_NODE[4:], "starts with 0a0d0d0a"),
        (patched(20, b"\x71\0\0\0"), "link type 113 instead of 276"),
        (patched(24 + 8, b"\xff\xff\xff\xff"), "at byte 24"),
        (patched(24 + 4, b"\xff\xff\xff\xff"), "at byte 24"),
    ],
)
def test_what_is_no_capture_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)) as refused:
        read(data)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("at", "new"),
    [
        (0, b"\x86\xdd"),  # IPv6
        (20, b"\x65"),  # version 6 in an IPv4 frame
        (20, b"\x44"),  # a header shorter than a header
        (20, b"\x4f"),  # a header longer than the frame
        (20 + 9, b"\x11"),  # UDP
        (20 + 6, b"\x20\x01"),  # a later fragment: no TCP header in it
        (20 + 2, b"\x00\x15"),  # a total that ends in the headers
        (40 + 12, b"\x40"),  # a TCP header shorter than a header
    ],
)
def test_other_packets_are_skipped(at: int, new: bytes) -> None:
    packets, whole = read(patched(FIRST + at, new))
    assert whole and len(packets) == 23


def test_a_header_shorter_than_ipv4_has_is_skipped() -> None:
    """What follows would do as a TCP header."""
    frame = SAME_NODE[FIRST : FIRST + 80]
    assert read(of_one(frame[:20] + b"\x44" + frame[21:48] + b"\x50" + frame[49:])) == ((), True)


def test_padding_is_no_payload_and_a_total_of_0_is_a_big_segment() -> None:
    frame = SAME_NODE[FIRST : FIRST + 80]
    assert read(of_one(frame + bytes(6)))[0][0].payload == b""
    ((big,), _) = read(of_one(frame[:22] + b"\0\0" + frame[24:] + b"data"))
    assert big.payload == b"data" and big.length == 4


def test_a_cut_payload_keeps_its_length() -> None:
    request = next(p for p in read(SAME_NODE)[0] if p.payload)
    at = SAME_NODE.index(request.payload)
    start = at - 72
    ((cut,), whole) = read(of_one(SAME_NODE[start : at + 10]))
    assert whole and cut.payload == request.payload[:10] and cut.length == request.length


@given(st.binary(max_size=400))
@example(b"")
def test_any_bytes_are_packets_or_a_value_error(data: bytes) -> None:
    for head in (b"", SAME_NODE[:24], big_endian(SAME_NODE[:24])):
        try:
            packets, _ = read(head + data)
        except ValueError as error:
            assert str(error)
        else:
            assert all(isinstance(packet, Packet) for packet in packets)


@given(st.integers(0, len(SAME_NODE) - 1), st.integers(0, 255))
def test_any_damage_is_packets_or_a_value_error(at: int, new: int) -> None:
    try:
        read(patched(at, bytes([new])))
    except ValueError as error:
        assert str(error)


@given(LENGTHS, st.binary(max_size=60), st.integers(0, 60))
def test_any_short_frame_is_a_packet_or_none(length: int, noise: bytes, at: int) -> None:
    frame = SAME_NODE[FIRST : FIRST + 80]
    packets, whole = read(of_one((frame[:at] + noise + frame[at + len(noise) :])[:length]))
    assert whole and len(packets) <= 1


# Without -s: immediate mode's ring has room for seven packets.
LOSING = """\
tcpdump: data link type LINUX_SLL2
tcpdump: listening on any, link-type LINUX_SLL2 (Linux cooked v2), snapshot length 262144 bytes
22 packets captured
24 packets received by filter
2 packets dropped by kernel
"""
LOSSLESS = LOSING.replace("2 packets dropped", "0 packets dropped")


def test_statistics_of_a_capture_that_lost_packets() -> None:
    told = statistics(LOSING)
    assert (told.captured, told.received, told.dropped, told.lost) == (22, 24, 2, True)
    assert told.problem == "tcpdump lost 2 of 24 packets"


def test_statistics_of_a_capture_that_lost_nothing() -> None:
    told = statistics(LOSSLESS)
    assert not told.lost and told.problem == ""
    one = statistics("1 packet captured\n1 packet received by filter\n0 packets dropped by kernel\n")
    assert (one.captured, one.lost) == (1, False)


def test_what_the_interface_dropped_is_lost_too() -> None:
    assert statistics(f"{LOSSLESS}3 packets dropped by interface\n").dropped == 3


@pytest.mark.parametrize("line", ["captured", "received by filter", "dropped by kernel"])
def test_a_missing_line_is_unknown_and_not_complete(line: str) -> None:
    told = statistics("".join(said for said in LOSSLESS.splitlines(True) if line not in said))
    assert told.lost and told.problem == "tcpdump did not say how many packets it lost"


@given(st.text())
@example("9999999999999999999999 packets captured")
@example("² packets captured")
def test_statistics_of_anything(text: str) -> None:
    assert statistics(text).lost or "captured" in text
