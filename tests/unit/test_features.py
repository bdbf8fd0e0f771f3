"""Features: told by what the API and the nodes' kernels show, each with its reason."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from scripts.clusters.base import clocks
from scripts.clusters.datapaths import attachment, between_nodes, kernel_features
from scripts.clusters.features import features_of
from scripts.evidence.links import Link, Route, Wiring
from scripts.evidence.nodeview import Kernel, NodeView
from scripts.evidence.snapshot import Snapshot, snapshot_of
from scripts.evidence.view import View
from tests.unit import atlas
from tests.unit.runs import P, S, results
from tests.unit.test_datapath import OTHERS, POD
from tests.unit.test_links import wiring

TAINT = {"key": "dedicated", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("of", "kind", "between"),
    [
        ("kind", "bridge", "host-gw"),
        ("bridge", "bridge", "host-gw"),
        ("ptp", "ptp", "host-gw"),
        ("vxlan", "bridge", "vxlan"),
    ],
)
def test_the_way_of_pods_is_read_from_what_iproute_printed(of: str, kind: str, between: str) -> None:
    assert attachment([POD[of]], wiring(of))[0] == kind
    assert between_nodes([*OTHERS[of]], wiring(of))[0] == between


@pytest.mark.parametrize(
    ("name", "kind", "dst", "told"),
    [
        ("cali12ab", "veth", "10.1.0.7/32", "routed (cali*)"),
        ("eni34cd", "veth", "10.1.0.7/32", "routed (eni*)"),
        ("lxc56ef", "veth", "10.1.0.7/32", "eBPF (lxc*)"),
        ("lxc56ef", "netkit", "10.1.0.7/32", "eBPF"),
        ("cilium_host", "veth", "10.1.0.0/24", "eBPF"),
        ("veth78", "veth", "10.1.0.7/32", "ptp"),
        ("cni0", "bridge", "10.1.0.0/24", "bridge"),
        ("ovn0", "openvswitch", "10.1.0.0/24", "unknown"),
        ("eth0", "device", "0.0.0.0/0", "unknown"),
    ],
)
def test_each_kind_of_link_has_its_word_and_another_one_is_unknown(
    name: str, kind: str, dst: str, told: str
) -> None:
    node = Wiring((Link(7, name, kind),), (), (Route(IPv4Network(dst), name),))
    assert attachment(["10.1.0.7"], node)[0] == told


def test_pods_that_are_joined_in_two_ways_are_unknown_and_pods_of_another_family_say_nothing() -> None:
    links = (Link(7, "veth7", "veth"), Link(8, "cni0", "bridge"))
    routes = (Route(IPv4Network("10.1.0.7/32"), "veth7"), Route(IPv4Network("10.1.0.0/24"), "cni0"))
    both = attachment(["10.1.0.7", "10.1.0.8"], Wiring(links, (), routes))
    assert both[0] == "unknown" and "bridge" in both[1] and "ptp" in both[1]
    assert attachment(["fd00::7"], Wiring(links, (), routes)) == (
        "nothing",
        "no Pod of the Pod network is here",
    )


def kernel(of: str = "ptp", **others: str) -> Kernel:
    """Every node of the made-up cluster with the wiring of a sample."""
    return Kernel({node: NodeView(wiring=wiring(others.get(node, of))) for node in ("control", "a", "b")})


def seen(of: Kernel) -> dict[str, tuple[bool, str]]:
    """The features of a cluster whose Pods have the samples' addresses."""
    lists = atlas.lists()
    for item, name in zip(lists[0], ("control", "a", "b"), strict=True):
        item["metadata"]["name"] = name
    pods = [
        {
            "metadata": {"namespace": "n", "name": f"p-{name}", "uid": name},
            "spec": {"nodeName": name, "containers": []},
            "status": {"podIP": POD["ptp"]},
        }
        for name in ("control", "a", "b")
    ]
    view = View(snapshot_of(lists[0], pods, [], [], []), {})
    return {one.name: (one.there, one.reason) for one in kernel_features(view, of)}


def test_a_feature_must_hold_on_every_node() -> None:
    same = seen(kernel())
    assert same["Pod datapath"] == (True, "ptp on every node (a route a Pod, and no bridge)")
    there, why = seen(kernel(b="bridge"))["Pod datapath"]
    assert not there and "a: ptp" in why and "b: bridge (cbr0)" in why
    there, why = same["Services served by"]
    assert not there and "no rules of kube-proxy" in why


def test_a_node_whose_kernel_was_not_read_or_may_not_be_is_told() -> None:
    part = Kernel({name: view for name, view in kernel().nodes.items() if name != "b"})
    assert seen(part) == {"kernel view": (False, "not read on b")}
    (one,) = kernel_features(replace(atlas.view(), blind="rights: none"), Kernel())
    assert (one.there, one.reason) == (False, "rights: none: judged by client, server and API")


def nodes(*made: dict[str, Any]) -> View:
    """A cluster of these nodes, each by its labels, taints and addresses."""
    items = [
        {
            "metadata": {"name": f"n{n}", "labels": told.get("labels", {})},
            "spec": {"taints": told.get("taints", [])},
            "status": {"addresses": [{"type": "InternalIP", "address": ip} for ip in told.get("ips", [])]},
        }
        for n, told in enumerate(made)
    ]
    return View(snapshot_of(items, [], [], [], []), {})


CONTROL = {"node-role.kubernetes.io/control-plane": ""}


@pytest.mark.parametrize(
    ("made", "workers"),
    [
        ([{"labels": CONTROL}], ["n0"]),  # a single node, and k3s: a control plane without a taint
        ([{"labels": CONTROL, "taints": [atlas.CONTROL_PLANE_TAINT]}, {}], ["n1"]),
        ([{"taints": [TAINT]}, {}], ["n1"]),
        ([{"taints": [{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}]}], ["n0"]),
        ([{"taints": [{"key": "spot", "effect": "PreferNoSchedule"}]}], ["n0"]),
        ([{"labels": {"kubernetes.io/os": "windows"}}, {}], ["n1"]),
    ],
)
def test_workers_are_told_by_taints_and_systems(made: list[dict[str, Any]], workers: list[str]) -> None:
    assert [node.name for node in nodes(*made).snapshot.workers] == workers


def test_what_keeps_pods_away_and_which_families_nodes_have_is_told() -> None:
    windows = {"labels": {"kubernetes.io/os": "windows"}}
    view = nodes({"taints": [TAINT], "ips": ["10.0.0.1", "fd00::1"]}, windows)
    told = {one.name: (one.there, one.reason) for one in features_of(view)}
    assert told["two workers"] == (False, "no worker node; n0 has the taint dedicated")
    assert told["IPv4"] == (True, "IPv4, IPv6")
    assert told["Linux on every node"] == (False, "linux, windows")


def test_a_load_balancer_with_a_name_is_told_and_not_asked() -> None:
    lists = atlas.lists()
    for service in lists[2]:
        if service["status"]["loadBalancer"]["ingress"]:
            service["status"]["loadBalancer"]["ingress"] = [{"hostname": "lb.example"}]
    view = replace(atlas.view(), snapshot=snapshot_of(*lists))
    told = {one.name: one for one in features_of(view)}["load balancers"]
    assert not told.there and told.reason.endswith("advertise a name only")


def test_nodes_of_another_kernel_than_this_machines_have_another_clock(tmp_path: Path) -> None:
    own = tmp_path / "boot_id"
    own.write_text("b1\n")

    def nodes_of(*boots: str) -> Snapshot:
        infos = [{"nodeInfo": {"bootID": boot}} if boot else {} for boot in boots]
        items = [{"metadata": {"name": f"n{n}"}, "spec": {}, "status": told} for n, told in enumerate(infos)]
        return snapshot_of(items, [], [], [], [])

    assert clocks(nodes_of("b1", "b1"), own) == clocks(nodes_of("", ""), own) == ""
    assert clocks(nodes_of("b2", "b2"), own).endswith("the clocks of 2 kernels")
    assert clocks(nodes_of("b2", "b3"), own).endswith("the clocks of 3 kernels")
    told = {one.name: one for one in features_of(View(nodes_of("b2", "b3"), {}, clocks="two"))}["one clock"]
    assert (told.there, told.reason) == (False, "two")


def test_without_one_clock_no_delay_is_told_and_hops_of_several_nodes_have_no_order() -> None:
    nodes = tuple(replace(node, boot=node.name) for node in atlas.snapshot().nodes)
    view = replace(atlas.view(), snapshot=replace(atlas.snapshot(), nodes=nodes), clocks="two clocks")
    seen = results(ids="S5 P4-frontend-rest P5-database-rest", view=view)
    assert (seen["S5"].verdict, seen["S5"].why) == (
        P,
        "every node's rules followed both changes; no delay is told: two clocks",
    )
    assert seen["P4-frontend-rest"].verdict is P, "on one node there is one clock"
    assert seen["P5-database-rest"].verdict is S
    assert "have no order" in str(seen["P5-database-rest"].why)
