"""Peers by the names that a person types, and one sentence with a suggestion for names that are none."""

from __future__ import annotations

import dataclasses

import pytest

from scripts.checks.base import Probe
from scripts.checks.destinations import Balancer, Gateway, Host, Ingress, NodePort, Pod, Service
from scripts.checks.peers import Client, Container, Destination, OnNode, Outside, Source
from scripts.checks.request import Get
from scripts.errors import PodpathError, UsageError
from scripts.suite.peername import destination_of, destinations, source_of, sources
from scripts.suite.plan import plan_of
from tests.unit import atlas

VIEW = atlas.view()


@pytest.mark.parametrize(
    ("text", "peer"),
    [
        ("outside", Outside()),
        ("client-1", Client(0)),
        ("client-2", Client(1)),
        ("node-2", OnNode(1)),
        ("pod-to-pod/rest", Container("pod-to-pod", "rest", "rest")),
        ("pod-to-pod/frontend", Container("pod-to-pod", "frontend", "nginx")),
        ("pod-to-pod/frontend/webapp", Container("pod-to-pod", "frontend", "webapp")),
        ("pod-to-service/spare-ready", Container("pod-to-service", "spare-ready", "nginx")),
    ],
)
def test_sources(text: str, peer: Source) -> None:
    assert source_of(text, VIEW) == peer


@pytest.mark.parametrize(
    ("text", "peer"),
    [
        ("near", Host("near")),
        ("outside", Host("outside")),
        ("pod-to-pod/rest:8000", Pod("pod-to-pod", "rest", 8000)),
        ("pod-to-service/service/frontend:80", Service("pod-to-service", "frontend", 80)),
        ("pod-to-service/balancer/frontend:8080", Balancer("pod-to-service", "frontend", 8080)),
        (
            "ingress-l4/nodeport/web-local:80",
            NodePort("ingress-l4", "web-local", 80, "node without a Pod"),
        ),
        (
            "ingress-l7/ingress/frontend@shop.podpath.test",
            Ingress("ingress-l7", "frontend", "shop.podpath.test"),
        ),
        (
            "ingress-l7/gateway/frontend@any.podpath.test",
            Gateway("ingress-l7", "frontend", "any.podpath.test"),
        ),
    ],
)
def test_destinations(text: str, peer: Destination) -> None:
    assert destination_of(text, VIEW) == peer


def test_a_pod_can_be_chosen_by_its_node() -> None:
    there = destination_of("pod-to-service/frontend:80", VIEW, "other node")
    assert there == Pod("pod-to-service", "frontend", 80, "other node")


@pytest.mark.parametrize("text", sources(VIEW))
def test_every_listed_source_is_one(text: str) -> None:
    probe = Probe("trace", "trace", source_of(text, VIEW), Get(Host("near"), ()))
    assert plan_of([("", probe)], VIEW).steps


@pytest.mark.parametrize("text", destinations(VIEW))
def test_every_listed_destination_is_one(text: str) -> None:
    probe = Probe("trace", "trace", Client(), Get(destination_of(text, VIEW), ()))
    plan = plan_of([("", probe)], VIEW)
    assert plan.steps, plan.settled
    assert destination_of(text, VIEW).target(plan.steps[0].place, VIEW).address


def test_what_is_listed_is_in_the_order_of_the_labs_and_of_each_kind() -> None:
    assert sources(VIEW)[:5] == ["client-1", "client-2", "node-1", "node-2", "outside"]
    found = destinations(VIEW)
    assert found[:2] == ["near", "outside"]
    kinds = ("/service/", "/balancer/", "/nodeport/", "/ingress/", "/gateway/")
    assert all(any(kind in name for name in found) for kind in kinds)
    assert "pod-to-pod/balancer/rest:8000" not in found
    bare = dataclasses.replace(VIEW, outside=None)
    assert "outside" not in sources(bare) and not {"near", "outside"} & {*destinations(bare)}


def one_sentence(raised: pytest.ExceptionInfo[UsageError], *parts: str) -> None:
    said = str(raised.value)
    assert "\n" not in said and said.endswith((".", "?")), said
    assert all(part in said for part in parts), said
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("clint-1", "did you mean client-1"),
        ("client-0", "client-1"),
        ("outsid", "did you mean outside?"),
        ("pod-to-pod/fronted", "pod-to-pod/frontend"),
        ("pod-to-pods/rest", "pod-to-pod/rest"),
        ("", "write client-N, node-N, outside, or LAB/WORKLOAD[/CONTAINER]"),
        ("zzz", "scripts/trace --list"),
        ("zzz/zzz", "scripts/trace --list"),
        ("pod-to-pod/", "pod-to-pod/"),
    ],
)
def test_a_source_that_is_none_is_one_sentence_with_a_suggestion(text: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        source_of(text, VIEW)
    one_sentence(raised, f"there is no peer {text!r}", hint)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("nere", "did you mean near?"),
        ("pod-to-pod/rest", "pod-to-pod/"),
        ("pod-to-pod/rset:8000", "did you mean pod-to-pod/"),
        ("pod-to-service/service/fronted:80", "pod-to-service/service/frontend:80"),
        ("pod-to-service/service/nope:80", "pod-to-service/service/frontend:80"),
        ("ingress-l7/ingress/nope@shop.podpath.test", "ingress-l7/ingress/frontend@shop.podpath.test"),
        ("ingress-l8/ingress/frontend@shop.podpath.test", "ingress-l7/ingress/frontend@shop.podpath.test"),
        ("pod-to-pod/rest:99999", "pod-to-pod/"),
        ("pod-to-pod/rest:http", "pod-to-pod/"),
        ("", "write LAB/WORKLOAD:PORT"),
        ("zzz", "(scripts/trace --list names them)"),
    ],
)
def test_a_destination_that_is_none_is_one_sentence_with_a_suggestion(text: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        destination_of(text, VIEW)
    one_sentence(raised, f"there is no peer {text!r}", hint)


def test_a_container_that_is_none_is_told_with_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"has no container 'nope': nginx, webapp\.$"):
        source_of("pod-to-pod/frontend/nope", VIEW)


def test_a_lab_that_is_not_deployed_has_no_peers() -> None:
    labs = {name: told for name, told in atlas.EXPORTS["labs"].items() if name != "egress"}
    bare = dataclasses.replace(VIEW, exports={**atlas.EXPORTS, "labs": labs})
    with pytest.raises(UsageError, match="there is no peer 'egress/traveller'"):
        source_of("egress/traveller", bare)
    assert not any("egress" in name for name in sources(bare) + destinations(bare))


def test_a_service_that_is_gone_breaks_no_suggestion() -> None:
    shot = dataclasses.replace(VIEW.snapshot, services={})
    gone = dataclasses.replace(VIEW, snapshot=shot)
    with pytest.raises(UsageError, match="did you mean near"):
        destination_of("nere", gone)


def test_a_workload_without_a_ready_pod_is_told_like_any_trouble() -> None:
    shot = dataclasses.replace(VIEW.snapshot, pods=())
    with pytest.raises(PodpathError, match="no Pod of rest is ready"):
        source_of("pod-to-pod/rest", dataclasses.replace(VIEW, snapshot=shot))
