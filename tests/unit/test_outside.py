"""The world outside the cluster: a range that is free, what the gateway translates, what a stack may say."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.cluster import fence, outside, profile
from scripts.cluster.outside import OutsideWorld, gateway_rules, outside_of, overlapping
from scripts.cluster.profile import OUTSIDE_RANGE, Profile
from scripts.errors import PodpathError, UsageError

RANGE = "198.18.0.0/24"
ROUTES = [
    {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0", "flags": []},
    {"dst": "172.17.0.0/16", "dev": "docker0", "scope": "link"},
    {"dst": "192.0.2.7", "dev": "eth0"},
]
ADDRESSES = [
    {"ifname": "lo", "addr_info": [{"family": "inet", "local": "127.0.0.1", "prefixlen": 8}]},
    {"ifname": "eth0", "addr_info": [{"family": "inet", "local": "192.0.2.2", "prefixlen": 24}]},
]
RESOLVERS = "# by hand\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\nsearch lan\n"


def overlap(
    wanted: str = RANGE, routes: object = ROUTES, addresses: object = ADDRESSES, resolvers: str = RESOLVERS
) -> str:
    return overlapping(wanted, json.dumps(routes), json.dumps(addresses), resolvers)


def test_a_free_range_overlaps_nothing() -> None:
    assert overlap() == "" and overlap(routes=[], addresses=[], resolvers="") == ""


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        ("172.17.4.0/24", "the route to 172.17.0.0/16 by docker0"),
        ("172.16.0.0/12", "the route to 172.17.0.0/16 by docker0"),
        ("192.0.2.0/29", "the route to 192.0.2.7 by eth0"),
        ("127.0.0.0/24", "the address 127.0.0.1 of lo"),
    ],
)
def test_a_taken_range_is_told_by_what_takes_it(wanted: str, taken: str) -> None:
    assert overlap(wanted) == taken


@pytest.mark.parametrize(
    ("more", "taken"),
    [
        ({"dst": "198.18.0.0/15", "dev": "tun0"}, "the route to 198.18.0.0/15 by tun0"),
        ({"dst": "198.18.0.9", "dev": "tun0"}, "the route to 198.18.0.9 by tun0"),
        ({"dst": "0.0.0.0/1", "dev": "tun0"}, ""),
        ({"type": "blackhole", "dst": "198.18.0.128/25"}, "the route to 198.18.0.128/25 by ?"),
        ({"dst": "198.18.1.0/24", "dev": "tun0"}, ""),
    ],
)
def test_routes_of_a_vpn_count(more: dict[str, str], taken: str) -> None:
    assert overlap(routes=[*ROUTES, more]) == taken


def test_addresses_and_resolvers_count_without_a_route() -> None:
    more = {"ifname": "wg0", "addr_info": [{"family": "inet", "local": "198.18.0.77", "prefixlen": 32}]}
    assert overlap(addresses=[*ADDRESSES, more]) == "the address 198.18.0.77 of wg0"
    assert overlap(resolvers="nameserver 198.18.0.53\n") == "the resolver 198.18.0.53"


def test_what_we_made_ourselves_is_not_in_the_way() -> None:
    own = {"ifname": "pp-out", "addr_info": [{"family": "inet", "local": "198.18.0.1", "prefixlen": 24}]}
    routes = [*ROUTES, {"dst": RANGE, "dev": "pp-out"}]
    told = json.dumps(routes), json.dumps([*ADDRESSES, own]), RESOLVERS
    assert overlapping(RANGE, *told, "pp-out") == ""
    assert overlapping(RANGE, *told) == f"the route to {RANGE} by pp-out"


@given(st.integers(0, 255), st.integers(24, 29))
def test_a_range_overlaps_each_of_its_own_addresses(last: int, prefix: int) -> None:
    wanted = f"198.18.0.0/{prefix}"
    found = overlapping(wanted, "[]", "[]", f"nameserver 198.18.0.{last}\n")
    assert bool(found) == (last < 2 ** (32 - prefix))


# --- the gateway's rules --------------------------------------------------------------------------

INNER, NODES = "172.18.0.0/16", ["172.18.0.2", "172.18.0.3"]


def rules(table: str) -> list[str]:
    text = gateway_rules(INNER, RANGE, NODES)
    section = text.split(f"*{table}\n")[1].split("COMMIT")[0]
    return section.splitlines()


def test_a_nodes_address_is_replaced_on_the_way_out() -> None:
    assert rules("nat")[0] == f"-A POSTROUTING -s {INNER} -d {RANGE} -j MASQUERADE"


def test_what_comes_from_outside_keeps_its_address_towards_nodes_only() -> None:
    nat = rules("nat")
    spared = [f"-A POSTROUTING -s {RANGE} -d {node} -j RETURN" for node in NODES]
    masked = nat.index(f"-A POSTROUTING -s {RANGE} -d {INNER} -j MASQUERADE")
    assert all(nat.index(rule) < masked for rule in spared), "a rule after it would never be met"
    assert len(nat) == len(NODES) + 2


def test_the_gateway_forwards_between_its_two_networks_and_nothing_else() -> None:
    assert rules("filter") == [
        ":FORWARD DROP [0:0]",
        f"-A FORWARD -s {INNER} -d {RANGE} -j ACCEPT",
        f"-A FORWARD -s {RANGE} -d {INNER} -j ACCEPT",
        "-A FORWARD -j REJECT --reject-with icmp-admin-prohibited",
    ]


def test_the_rules_are_whole_tables_for_iptables_restore() -> None:
    text = gateway_rules(INNER, RANGE, [])
    assert text.endswith("COMMIT\n") and text.count("COMMIT") == text.count("*") == 2


# --- the stack's setting --------------------------------------------------------------------------


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    """A stack ``own`` whose settings the test writes."""
    monkeypatch.setattr(profile, "STACKS", tmp_path)
    monkeypatch.setattr(profile, "STATE", tmp_path / "state")
    (tmp_path / "own.yaml").write_text("name: podpath-own\n")
    (tmp_path / "Pulumi.own.yaml").write_text("")
    return Profile("own")


def setting(stack: Profile, text: str) -> None:
    (stack.folder.parent.parent / "Pulumi.own.yaml").write_text(f"config:\n  podpath:outsideRange: {text}\n")


def test_a_stack_that_says_nothing_has_the_range_of_benchmarks(stack: Profile) -> None:
    assert stack.outside_range == OUTSIDE_RANGE == RANGE


@pytest.mark.parametrize("text", ["10.200.0.0/16", "203.0.113.0/29", "'100.64.0.0/10'"])
def test_a_range_with_room_is_taken(stack: Profile, text: str) -> None:
    setting(stack, text)
    assert stack.outside_range == text.strip("'")


@pytest.mark.parametrize(
    "text", ["198.18.0.0/30", "198.18.0.1/24", "198.18.0.0/33", "fd00::/64", "nonsense", "198.18", "''"]
)
def test_any_other_is_a_usage_error_that_says_what_to_write(stack: Profile, text: str) -> None:
    setting(stack, text)
    with pytest.raises(UsageError) as raised:
        _ = stack.outside_range
    said = str(raised.value)
    assert said.startswith("podpath:outsideRange in stacks/Pulumi.own.yaml is '")
    assert said.endswith(f"write an IPv4 range of at least 8 addresses, such as {RANGE}.")


# --- what is there --------------------------------------------------------------------------------

WORLD = OutsideWorld("o", "198.18.0.2", "n", "172.18.0.20", "g", "172.18.0.21", "198.18.0.3")


def test_the_record_of_the_outside_world_reads_back(stack: Profile) -> None:
    assert outside_of(stack) is None
    (stack.folder / "outside.json").write_text(json.dumps(dataclasses.asdict(WORLD)))
    assert outside_of(stack) == WORLD


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"outside": "o"}', "{half"])
def test_a_record_that_cannot_be_read_is_no_world(stack: Profile, text: str) -> None:
    (stack.folder / "outside.json").write_text(text)
    assert outside_of(stack) is None


IMAGES = {"node-agent": "agent:1", "nginx": "nginx:1"}
STARTED = {"n1": "2020-07-30T00:00:00Z 172.18.0.2"}


class Docker:
    """A Docker that answers as told and remembers what it was asked."""

    def __init__(self, host: str = "", running: str = "") -> None:
        self.host, self.running = host, running
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, *argv: str, stdin: str = "", check: bool = True) -> str:
        self.asked.append(argv)
        if argv[0] == "inspect" and "State.Running" in argv[2]:
            return self.running
        if argv[0] == "run" and "host" in argv:
            return self.host
        return "172.18.0.0/16" if argv[:2] == ("network", "inspect") else "10.0.0.9"


def under(monkeypatch: pytest.MonkeyPatch, docker: Docker) -> Docker:
    monkeypatch.setattr(outside, "docker", docker)
    monkeypatch.setattr(outside, "network_of", lambda name: None)
    monkeypatch.setattr(fence, "close_host", lambda *args: docker.asked.append(("fence", args[1])))
    return docker


def test_a_range_that_the_host_uses_is_an_error_before_anything_is_made(
    stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = f'[{{"dst":"{RANGE}","dev":"tun0"}}]\n\n[]\n\nnameserver 1.1.1.1\n'
    docker = under(monkeypatch, Docker(host))
    with pytest.raises(PodpathError) as raised:
        outside.ensure_outside(stack, IMAGES, STARTED)
    assert str(raised.value) == (
        f"the outside range {RANGE} overlaps the route to {RANGE} by tun0: "
        "choose a free one as `podpath:outsideRange` in stacks/Pulumi.own.yaml."
    )
    assert ("network", "create") not in [argv[:2] for argv in docker.asked]


def test_nodes_route_the_outside_to_the_gateway_and_the_world_is_recorded(
    stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = under(monkeypatch, Docker("[]\n\n[]\n\nnameserver 1.1.1.1\n"))
    world = outside.ensure_outside(stack, IMAGES, STARTED)
    assert outside_of(stack) == world and world.gateway == "podpath-own-gateway"
    assert ("exec", "n1", "ip", "route", "replace", RANGE, "via", world.gateway_ip) in docker.asked
    (created,) = (argv for argv in docker.asked if argv[:2] == ("network", "create"))
    assert RANGE in created and stack.outside_network in created
    kinds = [argv[0] for argv in docker.asked]
    assert ("fence", stack.outside_network) in docker.asked
    assert kinds.index("fence") < kinds.index("exec"), "closed before anything runs in it"
    runs = [argv for argv in docker.asked if argv[0] == "run" and "--detach" in argv]
    assert len(runs) == 3 and all("ALL" in argv and "--cap-drop" in argv for argv in runs)


def test_a_world_that_stands_as_it_should_is_left_alone(
    stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = under(monkeypatch, Docker("[]\n\n[]\n\n"))
    outside.ensure_outside(stack, IMAGES, STARTED)
    spec = next(arg for argv in made.asked for arg in argv if arg.startswith("podpath.outside="))
    hash_ = spec.partition("=")[2]
    again = under(monkeypatch, Docker(running="\n".join([f"true {hash_}"] * 3)))
    assert outside.ensure_outside(stack, IMAGES, STARTED) == outside_of(stack)
    assert [argv[0] for argv in again.asked] == ["inspect"]
    moved = under(monkeypatch, Docker("[]\n\n[]\n\n", running="\n".join([f"true {hash_}"] * 3)))
    outside.ensure_outside(stack, IMAGES, {"n1": "2020-07-30T00:00:01Z 172.18.0.3"})
    assert len(moved.asked) > 1, "nodes with other addresses need other rules"
