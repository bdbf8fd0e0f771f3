"""Which rules of a node something has flushed, seen in what real nodes printed, and how they come back."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.clusters.kind import noderules
from scripts.clusters.kind.noderules import broken, mend_rules, resolver_rules
from scripts.stack.profile import Profile
from scripts.waiting import Late

SAMPLES = Path(__file__).parent / "samples"
SAVED = {
    "iptables": (SAMPLES / "node.iptables-save.txt").read_text(),
    "nftables": (SAMPLES / "node-nftables.iptables-save.txt").read_text(),
}
TABLE = (SAMPLES / "node.nft.txt").read_text()
SOCKETS = """\
udp UNCONN 0      0      127.0.0.11:56432 0.0.0.0:*
tcp LISTEN 0      4096    127.0.0.1:10248 0.0.0.0:*
tcp LISTEN 0      4096   127.0.0.11:44967 0.0.0.0:*
tcp LISTEN 0      4096            *:10250       *:*
"""
Damage = Callable[[str], str]


def without(pattern: str, table: str = "") -> Damage:
    """Takes rules away, of one table or of all."""

    def damage(saved: str) -> str:
        kept, at = [], ""
        for line in saved.splitlines(keepends=True):
            at = line[1:].strip() if line.startswith("*") else at
            if not (re.search(pattern, line) and (not table or at == table)):
                kept.append(line)
        return "".join(kept)

    return damage


class Node:
    """A node that prints what real ones printed, ``damage`` done to it; a Pod that starts undoes that."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, mode: str, damage: Damage | None = None) -> None:
        self.mode, self.damage = mode, damage or (lambda text: text)
        self.table_damage: Damage = lambda text: text
        self.heals = True
        self.done: list[str] = []
        monkeypatch.setattr(noderules, "run", self.run)
        monkeypatch.setattr(noderules, "docker", lambda *args, stdin: self.done.append(f"{args[-3]} {stdin}"))
        monkeypatch.setattr(noderules, "say", self.done.append)

        def once(condition: Callable[[], bool], deadline: float, what: str, every: float) -> None:
            if not condition():
                raise Late(f"gave up waiting for {what}.")

        monkeypatch.setattr(noderules, "eventually", once)

    def run(self, argv: list[str], check: bool = True) -> subprocess.CompletedProcess[str]:
        program = argv[3]
        printed = {
            "iptables-save": self.damage(SAVED[self.mode]),
            "nft": self.table_damage(TABLE),
            "cat": "nameserver 172.23.0.1\noptions ndots:0\n",
            "ss": SOCKETS,
        }[program]
        return subprocess.CompletedProcess(argv, 0 if printed else 1, printed, "")

    def get(self, path: str, **query: str) -> dict[str, Any]:
        assert query["fieldSelector"] == "spec.nodeName=w1"
        return {"items": [{"metadata": {"name": f"{query['labelSelector'].partition('=')[2]}-x"}}]}

    def delete(self, path: str, **query: str) -> dict[str, Any]:
        self.done.append(f"delete {path.rpartition('/')[2]}")
        if self.heals:
            self.damage = self.table_damage = lambda text: text
        return {}


@pytest.mark.parametrize("mode", ["iptables", "nftables", "ipvs"])
def test_a_node_as_it_should_be_is_left_as_it_is(
    stack: Profile, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    stack.config["networking"] = {"kubeProxyMode": mode}
    node: Any = Node(monkeypatch, "iptables" if mode == "iptables" else "nftables")
    assert broken("w1", mode) == [] and not mend_rules(stack, ["w1"], node) and node.done == []


@pytest.mark.parametrize(
    ("damage", "whose"),
    [
        (without(r"^-A ", "nat"), ["kube-proxy", "flannel"]),
        (without(r"^-A ", "filter"), ["kube-proxy", "flannel"]),
        (without(r"^-A PREROUTING .*KUBE-SERVICES"), ["kube-proxy"]),
        (without(r"^-A OUTPUT .*KUBE-SERVICES"), ["kube-proxy"]),
        (without(r"^-A POSTROUTING .*KUBE-POSTROUTING"), ["kube-proxy"]),
        (without(r"^-A KUBE-SERVICES "), ["kube-proxy"]),
        (without(r"^-A KUBE-MARK-MASQ "), ["kube-proxy"]),
        (without(r"^-A POSTROUTING .*FLANNEL"), ["flannel"]),
        (without(r"^-A FLANNEL-POSTRTG .*MASQUERADE"), ["flannel"]),
        (without(r"^-A FLANNEL-FWD "), ["flannel"]),
        (lambda saved: "", []),  # unreadable: nothing is known
    ],
)
def test_whose_rules_are_gone(damage: Damage, whose: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    Node(monkeypatch, "iptables", damage)
    assert [writer.name for writer in broken("w1", "iptables")] == whose


@pytest.mark.parametrize(
    "damage",
    [lambda table: "", without(r"\s(jump services|vmap|ip daddr|.* vmap )"), without("@service-ips")],
)
def test_a_table_that_was_deleted_or_flushed_is_noticed(
    damage: Damage, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Node(monkeypatch, "nftables")
    node.table_damage = damage
    assert [writer.name for writer in broken("w1", "nftables")] == ["kube-proxy"]
    node.damage = without(r"^-A .*FLANNEL")
    assert [writer.name for writer in broken("w1", "nftables")] == ["kube-proxy", "flannel"]


@pytest.mark.parametrize(
    ("damage", "deleted"),
    [
        (without(r"^-A KUBE-SERVICES "), ["kube-proxy-x"]),
        (without(r"^-A POSTROUTING .*FLANNEL"), ["flannel-x"]),
    ],
)
def test_who_writes_the_rules_is_started_anew(
    stack: Profile, monkeypatch: pytest.MonkeyPatch, damage: Damage, deleted: list[str]
) -> None:
    stack.config["networking"] = {}
    node: Any = Node(monkeypatch, "iptables", damage)
    assert mend_rules(stack, ["w1"], node)
    assert node.done == [f"delete {name}" for name in deleted]


def test_after_a_flush_the_nodes_names_come_first(stack: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.config["networking"] = {}
    node: Any = Node(monkeypatch, "iptables", without(r"^-A ", "nat"))
    assert mend_rules(stack, ["w1"], node)
    first, *rest = node.done
    assert first.startswith("iptables-restore *nat\n") and "172.23.0.1/32 -j DOCKER_OUTPUT\n" in first
    assert rest == ["delete kube-proxy-x", "delete flannel-x"]


def test_what_does_not_come_back_is_told_with_what_helps(
    stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.config["networking"] = {}
    node: Any = Node(monkeypatch, "iptables", without(r"^-A KUBE-SERVICES "))
    node.heals = False
    assert mend_rules(stack, ["w1"], node)
    why = "gave up waiting for the rules of kube-proxy on w1 to be there again."
    assert node.done[-1] == f"  {why} scripts/up own --fresh makes a new cluster."


def test_dockers_rules_are_those_that_were_there() -> None:
    """Where Docker's DNS listens is read from the node; kind answers for it at the network's gateway."""
    saved = SAVED["nftables"].replace("[0:0] ", "")
    server = re.findall(r"-A PREROUTING -d (\S+)/32 -j DOCKER_OUTPUT", saved)[0]
    ports = {kind: re.findall(rf"-p {kind} .*127.0.0.11:(\d+)", saved)[0] for kind in ("tcp", "udp")}
    sockets = "".join(f"{kind} X 0 0 127.0.0.11:{port} 0.0.0.0:*\n" for kind, port in ports.items())
    theirs = [line for line in saved.splitlines() if line.startswith("-A ") and "DOCKER_" in line]
    ours = [line for line in resolver_rules(server, sockets).splitlines() if line.startswith("-A ")]
    assert sorted(ours) == sorted(theirs) and len(ours) == 7


@pytest.mark.parametrize(
    ("server", "sockets"),
    [("", SOCKETS), ("172.23.0.1", ""), ("172.23.0.1", SOCKETS.replace("udp", "tcp"))],
)
def test_rules_that_cannot_be_known_are_not_made_up(server: str, sockets: str) -> None:
    assert resolver_rules(server, sockets) == ""
