"""The stack's Docker networks: made as the engine needs them, and anew when they are not so."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import pytest

from scripts.build.enginefacts import EngineFacts
from scripts.clusters.kind import networks
from scripts.clusters.kind.networks import (
    Network,
    ensure_network,
    network_from,
    networks_left,
    remove_network,
)
from scripts.errors import PodpathError
from scripts.stack.profile import Profile

V4, V6 = {"Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1"}, {"Subnet": "fc00:f853:ccd:e793::/64"}
NAME, BRIDGE, OUTSIDE = "podpath-own", "podpath-own-net", "podpath-own-outside"
FOREIGN: dict[str, Any] = {"Name": NAME, "Labels": {}, "Options": {}, "IPAM": {"Config": [V4]}}
PROTECTED = "com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected"


class Docker:
    """Docker's networks; ``done`` is what was changed."""

    def __init__(
        self, *there: dict[str, Any], mtu: str = "", given: tuple[dict[str, str], ...] = (V6, V4)
    ) -> None:
        self.there = {told["Name"]: told for told in there}
        self.mtu, self.given = mtu, [*given]
        self.done: list[tuple[str, ...]] = []

    def __call__(self, *argv: str, check: bool = True) -> str:
        assert argv[0] == "network"
        match argv[1:]:
            case ("ls", *_, "--format", "{{.Name}}"):
                key, _, value = argv[3].removeprefix("label=").partition("=")
                return "\n".join(
                    name for name, told in self.there.items() if told["Labels"].get(key) == value
                )
            case ("ls", *_, filter):
                pattern = filter.removeprefix("name=")
                return "\n".join(f"id-{name}" for name in self.there if re.search(pattern, name))
            case ("inspect", _, "{{json .}}", id):
                return json.dumps(self.there[id.removeprefix("id-")])
            case ("inspect", _, _, "bridge"):
                return self.mtu
            case ("inspect", _, _, name):
                return " ".join(self.there[name].get("Containers", {}))
        self.done.append(argv[1:])
        if argv[1] == "rm":
            del self.there[argv[2]]
        if argv[1] == "create":
            self._create(argv[2:])
        return ""

    def _create(self, argv: tuple[str, ...]) -> None:
        told: dict[str, Any] = {"Name": argv[-1], "IPAM": {"Config": self.given}}
        for kind, word in (("Options", "--opt"), ("Labels", "--label")):
            pairs = [value for flag, value in pairwise(argv) if flag == word]
            told[kind] = dict(pair.split("=", 1) for pair in pairs)
        self.there[argv[-1]] = told

    @property
    def created(self) -> dict[str, str]:
        """The options of the last network made."""
        (*_, last) = (argv for argv in self.done if argv[0] == "create")
        options: dict[str, str] = self.there[last[-1]]["Options"]
        return options


def under(monkeypatch: pytest.MonkeyPatch, docker: Docker, version: str = "27.5.1") -> Docker:
    """``docker`` in place of Docker, of this version."""
    monkeypatch.setattr(networks, "docker", docker)
    monkeypatch.setattr(networks, "engine_facts", lambda: EngineFacts(version))
    return docker


# --- what a network tells -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "ipv4"),
    [
        ([V4], "172.18.0.0/16"),
        ([V4, V6], "172.18.0.0/16"),
        ([V6, V4], "172.18.0.0/16"),
        ([V6], ""),
        ([{}], ""),
        ([], ""),
        (None, ""),
    ],
)
def test_the_ipv4_range_is_known_by_its_family_and_not_by_its_place(config: object, ipv4: str) -> None:
    told = {"Name": NAME, "Labels": {"a": "b"}, "Options": {"c": "d"}, "IPAM": {"Config": config}}
    assert network_from(json.dumps(told)) == Network(NAME, {"a": "b"}, {"c": "d"}, ipv4)


def test_a_network_without_labels_and_options_has_none() -> None:
    told = {"Name": NAME, "Labels": None, "Options": None, "IPAM": {"Config": [V4]}}
    assert network_from(json.dumps(told)) == Network(NAME, {}, {}, "172.18.0.0/16")


def test_a_network_is_found_by_its_whole_name(monkeypatch: pytest.MonkeyPatch) -> None:
    under(monkeypatch, Docker({**FOREIGN, "Name": OUTSIDE}))
    assert networks.network_of(NAME) is None
    assert networks.network_of(OUTSIDE) == Network(OUTSIDE, {}, {}, "172.18.0.0/16")


# --- foreign networks -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [NAME, OUTSIDE])
@pytest.mark.parametrize("labels", [{}, {"podpath.cluster": "podpath-other"}])
def test_a_foreign_network_of_our_name_is_refused_in_one_sentence_and_stays(
    name: str, labels: dict[str, str], stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = under(monkeypatch, Docker({**FOREIGN, "Name": name, "Labels": labels}))
    with pytest.raises(PodpathError) as raised:
        ensure_network(stack, NAME, BRIDGE)
    assert str(raised.value) == (
        f"a Docker network named {name} exists that podpath did not make: "
        f"remove it (docker network rm {name}) or change `name` in stacks/own.yaml."
    )
    assert remove_network(stack, name) == networks_left(stack) == []
    assert docker.done == []


def test_networks_of_other_names_are_nobodys_business(
    stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = under(monkeypatch, Docker({**FOREIGN, "Name": "kind"}, {**FOREIGN, "Name": f"{NAME}-2"}))
    networks.refuse_foreign_networks(stack)
    assert remove_network(stack, NAME) == [] and docker.done == []


# --- our own --------------------------------------------------------------------------------------


def test_a_network_is_made_once_and_known_by_its_labels(
    stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = under(monkeypatch, Docker())
    made = ensure_network(stack, NAME, BRIDGE)
    assert (made.name, made.ipv4) == (NAME, "172.18.0.0/16")
    assert networks.is_ours(stack, made) and networks_left(stack) == [NAME]
    assert ensure_network(stack, NAME, BRIDGE) == made
    assert [argv[0] for argv in docker.done] == ["create"]
    assert remove_network(stack, NAME) == [f"network {NAME}"]
    assert networks_left(stack) == remove_network(stack, NAME) == []


@pytest.mark.parametrize("change", ["bridge", "argument", "engine", "mtu"])
def test_one_of_ours_that_was_made_otherwise_is_emptied_and_made_anew(
    change: str, stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = under(monkeypatch, Docker())
    ensure_network(stack, NAME, BRIDGE)
    docker.there[NAME]["Containers"] = {"balancer": {}, "other": {}}
    docker.done.clear()
    docker.mtu = "1450" if change == "mtu" else ""
    under(monkeypatch, docker, "28.0.0" if change == "engine" else "27.5.1")
    more = ["--subnet", "198.18.0.0/24"] if change == "argument" else []
    made = ensure_network(stack, NAME, "other-net" if change == "bridge" else BRIDGE, *more)
    assert [argv[:2] for argv in docker.done[:-1]] == [
        ("disconnect", "--force"),
        ("disconnect", "--force"),
        ("rm", NAME),
    ]
    assert [argv[2:] for argv in docker.done[:2]] == [(NAME, "balancer"), (NAME, "other")]
    assert docker.done[-1][0] == "create" and networks.is_ours(stack, made)


@pytest.mark.parametrize(
    ("version", "protects"),
    [
        ("20.10.24+dfsg1", False),
        ("27.5.1", False),
        ("28.0.0", True),
        ("28.5.2+dfsg4", True),
        ("29.1.3", True),
    ],
)
def test_the_gateway_mode_is_asked_of_engines_that_know_it(
    version: str, protects: bool, stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = under(monkeypatch, Docker(), version)
    ensure_network(stack, NAME, BRIDGE)
    assert docker.created["com.docker.network.bridge.name"] == BRIDGE
    assert (PROTECTED in [f"{key}={value}" for key, value in docker.created.items()]) == protects


@pytest.mark.parametrize(("mtu", "copied"), [("1450", "1450"), ("", None), ("<no value>", None)])
def test_the_mtu_of_the_default_network_is_copied(
    mtu: str, copied: str | None, stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = under(monkeypatch, Docker(mtu=mtu))
    ensure_network(stack, NAME, BRIDGE)
    assert docker.created.get("com.docker.network.driver.mtu") == copied


def test_a_network_without_an_ipv4_range_is_an_error_that_says_where_to_look(
    stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    under(monkeypatch, Docker(given=(V6,)))
    with pytest.raises(
        PodpathError, match=rf"^the Docker network {NAME} got no IPv4 range: .*daemon\.json\.$"
    ):
        ensure_network(stack, NAME, BRIDGE)


@pytest.mark.parametrize(
    ("range", "taken"),
    [
        ("172.18.0.0/16", None),
        ("10.244.3.0/24", "podSubnet 10.244.0.0/16"),
        ("10.0.0.0/8", "podSubnet 10.244.0.0/16"),
        ("10.96.128.0/20", "serviceSubnet 10.96.0.0/16"),
    ],
)
def test_nodes_pods_and_services_have_ranges_of_their_own(range: str, taken: str | None) -> None:
    """Docker takes any range of its `default-address-pools`."""
    network = Network("podpath", {}, {}, range)
    if taken is None:
        networks.check_ranges(Profile("kind"), network)
        return
    with pytest.raises(PodpathError, match=f"range {range}, which overlaps the {taken}: choose another"):
        networks.check_ranges(Profile("kind"), network)
