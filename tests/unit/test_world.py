"""The world outside the cluster: what the gateway translates, what a stack may say, what is made."""

from __future__ import annotations

import dataclasses
import json

import pytest

from scripts.clusters.kind import world as outside
from scripts.clusters.kind.hostlook import HostLook
from scripts.clusters.kind.networks import Network
from scripts.clusters.kind.world import gateway_rules, outside_of
from scripts.errors import PodpathError, UsageError
from scripts.evidence.world import OutsideWorld
from scripts.stack.profile import OUTSIDE_RANGE, Profile

RANGE = OUTSIDE_RANGE

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


def setting(stack: Profile, text: str) -> None:
    (stack.folder.parent.parent / "Pulumi.own.yaml").write_text(f"config:\n  podpath:outsideRange: {text}\n")


def test_a_stack_that_says_nothing_has_the_range_of_benchmarks(stack: Profile) -> None:
    assert stack.outside_range == OUTSIDE_RANGE == "198.18.0.0/24"


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

BRIDGES = ("own-net", "own-out")
WORLD = OutsideWorld(
    "o", "198.18.0.2", "n", "172.18.0.20", "g", "172.18.0.21", "198.18.0.3", "h", "fence", BRIDGES
)
RECORD = dataclasses.asdict(WORLD)


def test_the_record_of_the_outside_world_reads_back(stack: Profile) -> None:
    assert outside_of(stack) is None
    (stack.folder / "outside.json").write_text(json.dumps(RECORD))
    assert outside_of(stack) == WORLD


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"outside": "o"}',
        "{half",
        json.dumps({**RECORD, "bridges": None}),
        json.dumps({key: value for key, value in RECORD.items() if key not in ("host", "fence", "bridges")}),
    ],
)
def test_a_record_that_cannot_be_read_is_told(stack: Profile, text: str) -> None:
    (stack.folder / "outside.json").write_text(text)
    with pytest.raises(PodpathError, match=r"outside\.json is damaged: run scripts/up own, which makes"):
        outside_of(stack)


IMAGES = {"node-agent": "agent:1", "nginx": "nginx:1"}
STARTED = {"n1": "2020-07-30T00:00:00Z 172.18.0.2"}
INNER_NETWORK = Network("podpath-own", {}, {}, INNER)


class Docker:
    """A Docker that answers as told and remembers what it was asked, and fed."""

    def __init__(self, running: str = "", containers: str = "") -> None:
        self.running, self.containers = running, containers
        self.asked: list[tuple[str, ...]] = []
        self.fed: list[str] = []

    def __call__(self, *argv: str, stdin: str = "", check: bool = True) -> str:
        self.asked.append(argv)
        self.fed += [stdin] * bool(stdin)
        if argv[0] == "inspect" and "State.Running" in argv[2]:
            return self.running
        return self.containers if argv[0] == "ps" else "10.0.0.9"

    def ensure(self, stack: Profile, *argv: str) -> Network:
        self.asked.append(("network", "ensured", *argv))
        return Network(argv[0], {}, {}, RANGE)

    def remove(self, stack: Profile, name: str) -> list[str]:
        self.asked.append(("network", "removed", name))
        return [f"network {name}"]


def under(monkeypatch: pytest.MonkeyPatch, docker: Docker, *routes: dict[str, str]) -> Docker:
    """``docker`` in place of Docker, on a host with these routes."""
    monkeypatch.setattr(outside, "docker", docker)
    monkeypatch.setattr(outside, "look", lambda image: HostLook([*routes], [], ["1.1.1.1"], True, True))
    monkeypatch.setattr(outside, "network_of", lambda name: INNER_NETWORK)
    monkeypatch.setattr(outside, "ensure_network", docker.ensure)
    monkeypatch.setattr(outside, "remove_network", docker.remove)
    return docker


def test_a_range_that_the_host_uses_is_an_error_before_anything_is_made(
    stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = under(monkeypatch, Docker(), {"dst": RANGE, "dev": "tun0"})
    with pytest.raises(
        PodpathError, match=f"^the outside range {RANGE} overlaps the route to {RANGE} by tun0:"
    ):
        outside.ensure_outside(stack, IMAGES, STARTED)
    assert [argv[0] for argv in docker.asked] == ["inspect"]


def test_nodes_route_the_outside_to_the_gateway_and_the_world_is_recorded(
    stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = under(monkeypatch, Docker())
    world = outside.ensure_outside(stack, IMAGES, STARTED)
    assert outside_of(stack) == world and world.gateway == "podpath-own-gateway"
    assert (world.host, world.fence) == (stack.host, stack.fence_table)
    assert world.bridges == (stack.bridge, stack.outside_bridge)
    assert ("exec", "n1", "ip", "route", "replace", RANGE, "via", world.gateway_ip) in docker.asked
    assert docker.fed == [gateway_rules(INNER, RANGE, ["172.18.0.2"])]
    runs = [argv for argv in docker.asked if argv[0] == "run" and "--detach" in argv]
    assert len(runs) == 3 and all("ALL" in argv and "--cap-drop" in argv for argv in runs)


def test_its_network_is_there_before_its_servers_and_masquerades_nothing(
    stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = under(monkeypatch, Docker())
    outside.ensure_outside(stack, IMAGES, STARTED)
    kinds = [argv[:2] if argv[0] == "network" else argv[0] for argv in docker.asked]
    assert kinds.index(("network", "removed")) < kinds.index(("network", "ensured")) < kinds.index("run")
    (made,) = (argv for argv in docker.asked if argv[:2] == ("network", "ensured"))
    assert made[2:4] == (stack.outside_network, stack.outside_bridge)
    assert made[-2:] == ("--subnet", RANGE)
    assert "com.docker.network.bridge.enable_ip_masquerade=false" in made


def test_a_world_that_stands_as_it_should_is_left_alone(
    stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = under(monkeypatch, Docker())
    outside.ensure_outside(stack, IMAGES, STARTED)
    spec = next(arg for argv in made.asked for arg in argv if arg.startswith("podpath.outside="))
    running = "\n".join([f"true {spec.partition('=')[2]}"] * 3)
    again = under(monkeypatch, Docker(running))
    assert outside.ensure_outside(stack, IMAGES, STARTED) == outside_of(stack)
    assert [argv[0] for argv in again.asked] == ["inspect"]
    moved = under(monkeypatch, Docker(running))
    outside.ensure_outside(stack, IMAGES, {"n1": "2020-07-30T00:00:01Z 172.18.0.3"})
    assert len(moved.asked) > 1, "nodes with other addresses need other rules"


def test_what_goes_is_the_world_and_never_the_hosts_container(
    stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = under(monkeypatch, Docker(containers="podpath-own-near\npodpath-own-gateway"))
    gone = ["podpath-own-gateway", "podpath-own-near"]
    assert outside.remove_outside(stack) == [*gone, f"network {stack.outside_network}"]
    listed, removed = docker.asked[:2]
    assert {"label=podpath.cluster=podpath-own", "label=podpath.role=outside"} <= {*listed}
    assert removed == ("rm", "--force", "--volumes", *gone)
