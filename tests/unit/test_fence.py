"""The fence: what its rules are on a node, when they are there, and what is put back where they are not."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from scripts.clusters.kind import fence
from scripts.stack.profile import Profile

POD, SERVICE, RANGES = "10.244.0.0/16", "10.96.0.0/16", ["10.244.0.0/24", "10.244.1.0/24"]
RULES = fence.node_rules(POD, SERVICE, RANGES)
JUMP = f"-A FORWARD -o eth0 -j {fence.CHAIN}"
OTHERS = ["-P FORWARD ACCEPT", f"-N {fence.CHAIN}", "-A FORWARD -j KUBE-FORWARD"]


def test_it_rejects_service_addresses_and_pod_addresses_of_no_node() -> None:
    reject = "-j REJECT --reject-with icmp-admin-prohibited"
    assert fence.node_rules(POD, SERVICE, RANGES) == [
        f"-A PODPATH-FENCE -d {SERVICE} {reject}",
        "-A PODPATH-FENCE -d 10.244.0.0/24 -j RETURN",
        "-A PODPATH-FENCE -d 10.244.1.0/24 -j RETURN",
        f"-A PODPATH-FENCE -d {POD} {reject}",
    ]


def test_a_cluster_of_two_families_has_a_fence_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what goes out by IPv6 would go out."""
    has: list[tuple[str, str]] = []
    ranges = {"podCIDRs": ["10.244.1.0/24", "fd00:10:244:1::/64"]}
    items = {"items": [{"metadata": {"name": "a"}, "spec": ranges}]}
    monkeypatch.setattr(fence, "kubectl", lambda *_: json.dumps(items))
    monkeypatch.setattr(fence, "run", lambda argv, **_: subprocess.CompletedProcess(argv, 0, "", ""))
    monkeypatch.setattr(fence, "docker", lambda *argv, stdin: has.append((argv[3], stdin)))
    monkeypatch.setattr(fence, "host_closed", lambda _: True)
    monkeypatch.setattr(fence, "close_host", lambda *_: None)
    fence.mend_fence(Profile("kind-dual"), ["a"], "agent:1")
    assert [program for program, _ in has] == ["iptables-restore", "ip6tables-restore"]
    four, six = (text for _, text in has)
    assert "fd00" not in four and "-d 10.244.1.0/24 -j RETURN" in four
    assert "-d fd00:10:244:1::/64 -j RETURN" in six and "10.244" not in six
    assert "-d fd00:10:96::/112 -j REJECT --reject-with icmp6-adm-prohibited" in six


@pytest.mark.parametrize("jumps", [True, False])
def test_its_program_fills_the_chain_anew_and_jumps_there_once(jumps: bool) -> None:
    jump = [] if jumps else [f"-I FORWARD 1 -o eth0 -j {fence.CHAIN}"]
    told = fence.program_of(RULES, jumps)
    assert told.splitlines() == ["*filter", f":{fence.CHAIN} - [0:0]", *RULES, *jump, "COMMIT"]
    assert told.endswith("COMMIT\n"), "iptables-restore wants its end of line"


@pytest.mark.parametrize("owed", [{"metadata": {"name": "b"}, "spec": {}}, None], ids=["no range", "no node"])
def test_it_waits_for_the_range_of_every_node(
    monkeypatch: pytest.MonkeyPatch, owed: dict[str, Any] | None
) -> None:
    late = [node("a", "10.244.0.0/24"), *([owed] if owed else [])]
    seen = iter([late, [node("b", "10.244.2.0/24"), node("a", "10.244.0.0/24")]])
    monkeypatch.setattr(fence, "kubectl", lambda *_: json.dumps({"items": next(seen)}))
    assert fence.pod_ranges(Profile("kind"), ["a", "b"]) is None
    assert fence.pod_ranges(Profile("kind"), ["a", "b"]) == ["10.244.0.0/24", "10.244.2.0/24"]


def node(name: str, cidr: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"podCIDRs": [cidr] if cidr else []}}


def test_the_dns_asks_nobody_outside() -> None:
    assert "forward" not in fence.COREFILE
    assert "NXDOMAIN" in fence.COREFILE


# --- mending --------------------------------------------------------------------------------------


class Machine:
    """A host and its nodes a and b, with the rules that each has."""

    def __init__(self, a: list[str] | None, closed: bool) -> None:
        self.has = {"a": a, "b": [*OTHERS, JUMP, *RULES]}
        self.closed = closed
        self.done: list[tuple[str, str]] = []

    def run(self, argv: list[str], check: bool = True) -> subprocess.CompletedProcess[str]:
        assert argv[:2] == ["docker", "exec"] and argv[3:] == ["iptables", "-w", "-S"] and not check
        told = self.has[argv[2]]
        return subprocess.CompletedProcess(argv, int(told is None), "\n".join(told or []), "")

    def docker(self, *argv: str, stdin: str) -> str:
        assert argv[:2] == ("exec", "--interactive")
        assert argv[3:] == ("iptables-restore", "--noflush", "--wait")
        self.done.append((argv[2], stdin))
        return ""


@pytest.mark.parametrize(
    ("a", "closed", "jumps", "told"),
    [
        ([*OTHERS, JUMP, *RULES], True, None, ""),
        ([JUMP, *OTHERS, *RULES], True, None, ""),
        ([*OTHERS, *RULES], True, False, "a"),
        ([*OTHERS, JUMP], True, True, "a"),
        ([*OTHERS, JUMP, *RULES[1:]], True, True, "a"),
        ([*OTHERS, JUMP, *RULES, f"-A {fence.CHAIN} -j RETURN"], True, True, "a"),
        (OTHERS, True, False, "a"),
        ([], True, False, "a"),
        (None, True, False, "a"),
        ([*OTHERS, JUMP, *RULES], False, None, "the host"),
        (OTHERS, False, False, "a, the host"),
    ],
    ids=[
        "whole", "whole in another order", "no jump", "flushed", "a rule less", "a rule more",
        "nothing of it", "no rules", "not to be read", "an open host", "both",
    ],
)  # fmt: skip
def test_only_what_is_open_is_mended_and_told(
    a: list[str] | None, closed: bool, jumps: bool | None, told: str, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    machine, closing = Machine(a, closed), list[str]()
    profile = Profile("kind")
    items = {"items": [node("a", RANGES[0]), node("b", RANGES[1])]}
    monkeypatch.setattr(fence, "kubectl", lambda *_: json.dumps(items))
    monkeypatch.setattr(fence, "run", machine.run)
    monkeypatch.setattr(fence, "docker", machine.docker)
    monkeypatch.setattr(fence, "host_closed", lambda _: machine.closed)
    monkeypatch.setattr(fence, "close_host", lambda _, image: closing.append(image))
    fence.mend_fence(profile, ["a", "b"], "agent:1")
    assert machine.done == ([] if jumps is None else [("a", fence.program_of(RULES, jumps))])
    assert closing == ([] if not told else ["agent:1"])
    said = "".join(capfd.readouterr())
    assert (f"mend the fence of {told}" in said) if told else "fence" not in said
