"""Fingerprints: equal after a damage was undone whatever changed by itself, different after anything else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from scripts.evidence.fingerprint import Lines, difference, lines_of
from scripts.transport.frames import Output

SAMPLES = Path(__file__).parent / "samples"
RULES = (SAMPLES / "node.iptables-save.txt").read_text()
LINKS = (SAMPLES / "kind" / "links.json").read_text()
POD = {
    "metadata": {
        "namespace": "lab",
        "name": "frontend-5d9c7b9f4b-abcde",
        "labels": {"app": "frontend", "pod-template-hash": "5d9c7b9f4b"},
        "ownerReferences": [{"kind": "ReplicaSet", "name": "frontend-5d9c7b9f4b"}],
    },
    "spec": {"containers": [{"image": "nginx:1"}]},
    "status": {"podIP": "10.244.1.7", "conditions": [{"type": "Ready", "status": "True"}]},
}
SLICE = {
    "metadata": {
        "namespace": "lab",
        "name": "frontend-x",
        "labels": {"kubernetes.io/service-name": "frontend"},
    },
    "endpoints": [{"addresses": ["10.244.1.7"], "conditions": {"ready": True}}],
    "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
}
SERVICE = {"metadata": {"namespace": "lab", "name": "frontend"}, "spec": {"sessionAffinity": "None"}}


def state(
    rules: str = RULES, links: str = LINKS, change: Callable[[dict[str, Any]], None] = lambda lists: None
) -> Lines:
    lists: dict[str, Any] = json.loads(
        json.dumps({"pods": [POD], "endpointslices": [SLICE], "services": [SERVICE]})
    )
    change(lists)
    nodes: Mapping[str, Mapping[str, Output]] = {"w1": {"rules": Output(rules, 0), "links": Output(links, 0)}}
    return lines_of(nodes, lists)


def replaced(lists: dict[str, Any]) -> None:
    """The Pod was replaced: another name, another address, the same workload."""
    lists["pods"][0]["metadata"]["name"] = "frontend-5d9c7b9f4b-vwxyz"
    lists["pods"][0]["status"]["podIP"] = "10.244.1.99"
    lists["endpointslices"][0]["endpoints"][0]["addresses"] = ["10.244.1.99"]


def test_counters_order_and_hashes_are_no_difference() -> None:
    counted = re.sub(r"\[\d+:\d+\]", "[12345:67890]", RULES)
    lines = counted.splitlines()
    shuffled = "\n".join([*reversed(lines), "# Completed on Thu Nov 26"])
    hashed = re.sub(r"KUBE-SEP-[A-Z0-9]{16}", "KUBE-SEP-AAAAAAAAAAAAAAAA", shuffled)
    assert difference(state(), state(rules=hashed)) == []


def test_an_engine_that_writes_its_chains_anew_is_no_difference_but_a_further_policy_is_one() -> None:
    rules = """
-A KUBE-POD-FW-{0} -d 10.244.1.7/32 -m comment --comment "run through nw policy guarded" -j KUBE-NWPLCY-{0}
-A KUBE-POD-FW-{0} -m comment --comment "rule to REJECT traffic for POD name:{1} namespace: a" -j REJECT
"""
    before = state(rules=RULES + rules.format("A" * 16, "guarded-1"))
    assert difference(before, state(rules=RULES + rules.format("B" * 16, "guarded-2"))) == []
    more = rules.format("B" * 16, "guarded-2").replace("policy guarded", "policy other")
    assert len(difference(before, state(rules=RULES + more))) == 2


def test_a_pod_that_was_replaced_is_no_difference() -> None:
    before = state(rules=f"{RULES}\n-A KUBE-SEP-X -j DNAT --to-destination 10.244.1.7:80")
    rules = f"{RULES}\n-A KUBE-SEP-X -j DNAT --to-destination 10.244.1.99:80"
    assert difference(before, state(rules=rules, change=replaced)) == []


DROP = "-A FORWARD -s 10.244.2.0/24 -m comment --comment podpath-fault:x -j DROP"


def test_a_rule_that_was_left_is_named() -> None:
    assert difference(state(), state(rules=f"{RULES}{DROP}\n")) == [f"+ w1 rules: {DROP}"]
    assert difference(state(rules=f"{RULES}{DROP}\n"), state()) == [f"- w1 rules: {DROP}"]


def test_the_same_rule_twice_is_a_difference() -> None:
    one = f"{RULES}{DROP}\n"
    assert difference(state(rules=one), state(rules=f"{one}{DROP}\n")) == [f"+ w1 rules: {DROP}"]


def labelled(lists: dict[str, Any]) -> None:
    lists["pods"][0]["metadata"]["labels"]["app"] = "other"


def unready(lists: dict[str, Any]) -> None:
    lists["pods"][0]["status"]["conditions"][0]["status"] = "False"


def gone(lists: dict[str, Any]) -> None:
    lists["pods"].clear()


def sticky(lists: dict[str, Any]) -> None:
    lists["services"][0]["spec"]["sessionAffinity"] = "ClientIP"


def marked(lists: dict[str, Any]) -> None:
    lists["services"][0]["metadata"]["annotations"] = {"podpath/fault": "x"}


def stranger(lists: dict[str, Any]) -> None:
    lists["endpointslices"].append({**SLICE, "endpoints": [{"addresses": ["10.244.1.250"]}]})


@pytest.mark.parametrize("change", [labelled, unready, gone, sticky, marked, stranger])
def test_whatever_is_other_than_before_is_seen(change: Callable[[dict[str, Any]], None]) -> None:
    assert difference(state(), state(change=change)) != []


def ports(change: Callable[[dict[str, Any]], None]) -> str:
    links = json.loads(LINKS)
    change(next(link for link in links if link.get("linkinfo", {}).get("info_kind") == "veth"))
    return json.dumps(links)


@pytest.mark.parametrize(
    "change",
    [
        lambda link: link.update(mtu=700),
        lambda link: link.pop("master"),
        lambda link: link["flags"].remove("UP"),
        lambda link: link["linkinfo"].setdefault("info_slave_data", {}).update(hairpin="other"),
    ],
)
def test_a_link_that_is_not_as_it_was_is_seen(change: Callable[[dict[str, Any]], None]) -> None:
    assert difference(state(), state(links=ports(change))) != []


def test_links_that_cannot_be_read_are_no_equality() -> None:
    assert difference(state(), state(links="Killed")) != []
