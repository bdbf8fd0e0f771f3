"""The sentence that says where a request and its answer were last seen."""

from __future__ import annotations

import pytest

from scripts.evidence.lasthop import last_seen
from scripts.evidence.trace import Answer, Hop, Trace
from tests.unit.scenes import CLIENT, FAR, POD, hop, scene

SEEN = scene()
REACHED = hop("worker-b veth1 out", dst=FAR, kind="pod", label="frontend-2")
ENTERED = hop("worker-a veth0 in", dst=FAR, kind="pod", label="client-a")
LEFT = hop("worker-a eth0 out", dst=FAR, kind="uplink")


def back(where: str, kind: str = "uplink") -> Hop:
    return hop(where, FAR, CLIENT, "reply", "pod" if kind == "pod" else "uplink")


@pytest.mark.parametrize(
    ("hops", "answer", "sentence"),
    [
        ([], "", "the request was seen on no node"),
        (
            [LEFT], "",
            f"the request was last seen leaving eth0 of worker-a, as {CLIENT} → {FAR}; "
            "it never came to worker-b",
        ),
        (
            [ENTERED], "",
            f"the request was last seen entering veth0 (client-a) of worker-a, as {CLIENT} → {FAR}; "
            "it never left worker-a towards worker-b",
        ),
        (
            [hop("worker-a cbr0 in", kind="bridge")], "",
            f"the request was last seen entering cbr0 of worker-a, as {CLIENT} → {POD}; "
            "it never reached Pod frontend-1 on worker-a",
        ),
        (
            [hop("worker-a cbr0 in", dst="198.18.0.2:80", kind="bridge")], "",
            f"the request was last seen entering cbr0 of worker-a, as {CLIENT} → 198.18.0.2:80; "
            "it never left worker-a towards 198.18.0.2",
        ),
        (
            [LEFT, REACHED], "",
            f"the request was last seen leaving veth1 (frontend-2) of worker-b, as {CLIENT} → {FAR}; "
            "Pod frontend-2 sent no answer",
        ),
        (
            [REACHED, back("worker-b veth1 in", "pod")], "SYN ACK",
            "the request reached Pod frontend-2; the connection's acceptance was last seen "
            f"entering veth1 of worker-b, as {FAR} → {CLIENT}; it never left worker-b towards worker-a",
        ),
        (
            [REACHED, back("worker-b eth0 out")], "HTTP",
            "the request reached Pod frontend-2; the answer was last seen "
            f"leaving eth0 of worker-b, as {FAR} → {CLIENT}; it never came to worker-a",
        ),
        (
            [REACHED, back("worker-a veth0 out", "pod")], "HTTP",
            "the request reached Pod frontend-2; the answer came back and was last seen "
            f"leaving veth0 of worker-a, as {FAR} → {CLIENT}",
        ),
        (
            [REACHED, back("worker-a eth0 in")], "RST",
            "the request reached Pod frontend-2; a refusal came back and was last seen "
            f"entering eth0 of worker-a, as {FAR} → {CLIENT}",
        ),
    ],
)  # fmt: skip
def test_the_last_hop_is_told_in_one_sentence(hops: list[Hop], answer: Answer, sentence: str) -> None:
    assert last_seen(Trace(tuple(hops), answer=answer), SEEN.owner, SEEN.node_of) == sentence


def test_who_accepted_the_connection_is_not_called_unreached() -> None:
    asked = Trace((hop("gateway eth0 out", dst="172.18.0.8:80", kind="uplink"),))
    told = last_seen(asked, SEEN.owner, SEEN.node_of, connected=True)
    assert told.endswith("; 172.18.0.8 accepted the connection, and no answer came")
    assert last_seen(asked, SEEN.owner, SEEN.node_of).endswith("; it never came to 172.18.0.8")
    between = last_seen(Trace((LEFT,)), SEEN.owner, SEEN.node_of, connected=True)
    assert between.endswith("; it never came to worker-b")  # a packet of the request may be lost later


def test_a_refusal_on_the_way_is_not_the_destinations() -> None:
    met = hop("gateway eth0 in", dst="198.18.0.2:80", kind="uplink")
    refused = Trace((met, hop("gateway eth0 out", "198.18.0.2:80", CLIENT, "reply", "uplink")), answer="RST")
    assert last_seen(refused, SEEN.owner, SEEN.node_of) == (
        f"the request was last seen entering eth0 of gateway, as {CLIENT} → 198.18.0.2:80, "
        "and a refusal came back from there"
    )
