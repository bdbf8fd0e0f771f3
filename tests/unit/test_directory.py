"""Who has which address on the made-up cluster, and what of it a trace met."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Interface

import pytest

from scripts.evidence.directory import directory_of
from scripts.evidence.links import Address, Wiring
from scripts.evidence.trace import Hop, Interface
from tests.unit import atlas

SERVICE = f"{atlas.SERVICE_NS}/frontend"
NODE_PORT = atlas.node_port((atlas.SERVICE_NS, "frontend"), 80)
BRIDGE = Wiring(
    addresses=(
        Address("cbr0", IPv4Interface("10.244.1.1/24")),
        Address("eth0", IPv4Interface(f"{atlas.NODES['worker-a']}/16")),
    )
)
KNOWN = directory_of(atlas.view(), {"worker-a": BRIDGE})


@pytest.mark.parametrize(
    ("ip", "name"),
    [
        (atlas.PODS["frontend-1"][2], "Pod frontend-1"),
        (atlas.CLUSTER_IP, f"Service {SERVICE}"),
        (atlas.BALANCER_IP, f"load balancer of Service {SERVICE}"),
        (atlas.INGRESS_IP, f"load balancer of Ingress {atlas.INGRESS_NS}/frontend"),
        (atlas.GATEWAY_IP, f"load balancer of Gateway {atlas.INGRESS_NS}/frontend"),
        (atlas.NODES["worker-a"], "node worker-a"),
        ("10.244.1.1", "cbr0 of worker-a"),
        (atlas.OUTSIDE.near_ip, "the host beside the nodes"),
        (atlas.OUTSIDE.outside_ip, "the host beyond the gateway"),
        (atlas.OUTSIDE.gateway_ip, "the gateway, towards the nodes"),
        (atlas.OUTSIDE.gateway_outside_ip, "the gateway, towards the outside"),
        ("203.0.113.9", ""),
        ("None", ""),
    ],
)
def test_everybody_has_one_name(ip: str, name: str) -> None:
    assert KNOWN.of(f"{ip}:80") == name


def test_the_gateway_that_an_ingress_is_made_of_has_the_name_of_the_ingress() -> None:
    view = atlas.view()
    shot = replace(view.snapshot, gateways={("some", "gateway"): (atlas.INGRESS_IP,)})
    known = directory_of(replace(view, snapshot=shot), {})
    assert known.of(f"{atlas.INGRESS_IP}:80") == f"load balancer of Ingress {atlas.INGRESS_NS}/frontend"


def test_only_who_was_met_is_told_and_in_that_order() -> None:
    pod, node = atlas.PODS["frontend-1"][2], atlas.NODES["worker-a"]
    veth = Interface("veth1", "pod")
    hops = [
        Hop("worker-a", veth, "in", f"{node}:4711", f"{node}:{NODE_PORT}", "request", 0),
        Hop("worker-a", veth, "out", "203.0.113.9:4711", f"{pod}:80", "request", 1),
    ]
    assert [*KNOWN.met(hops).items()] == [
        (node, "node worker-a"),
        (f"{node}:{NODE_PORT}", f"node port of Service {SERVICE}"),
        (pod, "Pod frontend-1"),
    ]
