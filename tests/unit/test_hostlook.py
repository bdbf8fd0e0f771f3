"""What podpath looks for on the engine's host: a range that is free, and a kernel that has what it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.clusters.kind import hostlook
from scripts.clusters.kind.hostlook import (
    INOTIFY_BESIDE,
    LOOK,
    HostLook,
    check_host,
    free_inotify,
    look_from,
    overlapping,
)
from scripts.errors import PodpathError
from scripts.paths import ROOT
from scripts.stack.profile import OUTSIDE_RANGE as RANGE
from scripts.stack.profile import Profile
from scripts.transport.process import CommandFailed

ROUTES: list[dict[str, Any]] = [
    {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0", "flags": []},
    {"dst": "172.17.0.0/16", "dev": "docker0", "scope": "link"},
    {"dst": "192.0.2.7", "dev": "eth0"},
]
ADDRESSES: list[dict[str, Any]] = [
    {"ifname": "lo", "addr_info": [{"family": "inet", "local": "127.0.0.1", "prefixlen": 8}]},
    {"ifname": "eth0", "addr_info": [{"family": "inet", "local": "192.0.2.2", "prefixlen": 24}]},
    {"ifname": "dummy0"},
]
RESOLVERS = ["192.0.2.1"]
CONF = "# by hand\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\nnameserver\nsearch lan\n"
BRIDGED, NFTABLES = "bridged-frames-are-filtered\n", "nftables-answers\n"
OWN = {"ifname": "pp-out", "addr_info": [{"family": "inet", "local": "198.18.0.1", "prefixlen": 24}]}


def seen(
    routes: list[dict[str, Any]] = ROUTES,
    addresses: list[dict[str, Any]] = ADDRESSES,
    resolvers: list[str] = RESOLVERS,
) -> HostLook:
    return HostLook(routes, addresses, resolvers, True, True)


def printed(routes: object = ROUTES, resolvers: str = CONF, more: str = BRIDGED + NFTABLES) -> str:
    """What LOOK prints."""
    return f"{json.dumps(routes)}\n\n{json.dumps(ADDRESSES)}\n\n{resolvers}\n{more}"


# --- a range that is free -------------------------------------------------------------------------


@pytest.mark.parametrize("host", [seen(), HostLook([], [], [], True, True)])
def test_a_free_range_overlaps_nothing(host: HostLook) -> None:
    assert overlapping(RANGE, host) == ""


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
    assert overlapping(wanted, seen()) == taken


@pytest.mark.parametrize(
    ("more", "taken"),
    [
        ({"dst": "198.18.0.0/15", "dev": "tun0"}, "the route to 198.18.0.0/15 by tun0"),
        ({"dst": "198.18.0.9", "dev": "tun0"}, "the route to 198.18.0.9 by tun0"),
        ({"dst": "198.0.0.0/8", "dev": "tun0"}, "the route to 198.0.0.0/8 by tun0"),
        ({"type": "blackhole", "dst": "198.18.0.128/25"}, "the route to 198.18.0.128/25 by ?"),
        ({"dst": "198.18.1.0/24", "dev": "tun0"}, ""),
        ({"dst": "0.0.0.0/1", "dev": "tun0"}, ""),
        ({"dst": "128.0.0.0/1", "dev": "tun0"}, ""),
        ({"dst": "0.0.0.0/0", "dev": "tun0"}, ""),
        ({"dst": "196.0.0.0/6", "dev": "wg0"}, ""),
    ],
)
def test_routes_of_a_vpn_count_unless_they_stand_for_all_addresses(more: dict[str, str], taken: str) -> None:
    assert overlapping(RANGE, seen([*ROUTES, more])) == taken


def test_addresses_and_resolvers_count_without_a_route() -> None:
    more = {"ifname": "wg0", "addr_info": [{"family": "inet", "local": "198.18.0.77", "prefixlen": 32}]}
    assert overlapping(RANGE, seen(addresses=[*ADDRESSES, more])) == "the address 198.18.0.77 of wg0"
    assert overlapping(RANGE, seen(resolvers=["198.18.0.53"])) == "the resolver 198.18.0.53"


def test_what_we_made_ourselves_is_not_in_the_way() -> None:
    host = seen([*ROUTES, {"dst": RANGE, "dev": "pp-out"}], [*ADDRESSES, OWN])
    assert overlapping(RANGE, host, "pp-out") == ""
    assert overlapping(RANGE, host) == f"the route to {RANGE} by pp-out"


@given(st.integers(0, 255), st.integers(24, 29))
def test_a_range_overlaps_each_of_its_own_addresses(last: int, prefix: int) -> None:
    found = overlapping(f"198.18.0.0/{prefix}", seen([], [], [f"198.18.0.{last}"]))
    assert bool(found) == (last < 2 ** (32 - prefix))


# --- the look -------------------------------------------------------------------------------------


def test_what_the_look_prints_is_read_back() -> None:
    assert look_from(printed()) == seen()
    assert look_from("[ ]\n\n[ ]\n\n\n") == HostLook([], [], [], False, False)


@pytest.mark.parametrize(
    ("more", "features"),
    [
        ("", (False, False)),
        (BRIDGED, (True, False)),
        (NFTABLES, (False, True)),
        (f"Error: {NFTABLES}", (False, False)),
    ],
)
def test_a_feature_is_there_when_its_own_line_is(more: str, features: tuple[bool, bool]) -> None:
    host = look_from(printed(more=more))
    assert (host.filters_bridged_frames, host.has_nftables) == features


@pytest.mark.parametrize("nftables", [True, False])
def test_the_look_is_a_script_that_a_shell_understands(tmp_path: Path, nftables: bool) -> None:
    """iproute2 and nft stand in by scripts; the resolvers and the bridge module are this machine's own."""
    for name, body in {
        "ip": f"case $3 in route) echo '{json.dumps(ROUTES)}';; addr) echo '{json.dumps(ADDRESSES)}';; esac",
        "nft": f'[ "$*" = "list tables" ] && exit {int(not nftables)}',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    path = {"PATH": f"{tmp_path}:{os.defpath}"}
    done = subprocess.run(["sh", "-c", LOOK], env=path, capture_output=True, text=True)
    host = look_from(done.stdout)
    assert (host.routes, host.addresses, host.has_nftables) == (ROUTES, ADDRESSES, nftables)


def test_a_container_that_cannot_run_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def docker(*argv: str, check: bool = True) -> str:
        if check:
            raise CommandFailed(["docker", *argv], 125, "docker: Error response from daemon: no such image")
        return ""

    monkeypatch.setattr(hostlook, "docker", docker)
    with pytest.raises(PodpathError, match="no such image"):
        hostlook.look("agent:1")


LIMITED = 'echo {} > /proc/sys/user/max_inotify_instances && exec "$@"'
OWN_LIMIT = ["unshare", "--user", "--map-root-user", "sh", "-c"]


@pytest.mark.parametrize("limit", [0, 7])
def test_inotify_instances_that_are_left_are_counted_alike_here_and_there(limit: int) -> None:
    """In a user namespace, which has a limit of its own: by the look in a container, and by doctor."""
    limited = [*OWN_LIMIT, LIMITED.format(limit), "sh"]
    if subprocess.run([*limited, "true"], capture_output=True).returncode:
        pytest.skip("no user namespace can be made here")
    there = subprocess.run([*limited, "sh", "-c", LOOK], capture_output=True, text=True)
    code = f"from {free_inotify.__module__} import free_inotify; print(free_inotify())"
    here = subprocess.run([*limited, sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    counted = look_from(there.stdout).inotify_left
    assert (counted, here.stdout.strip()) == (limit, str(limit)), here.stderr


# --- the refusals ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "why", "cure"),
    [
        (printed(more=NFTABLES), "the kernel module br_netfilter is not loaded on the Docker host, ",
         "type `modprobe br_netfilter` there, as root."),
        (printed(more=BRIDGED), "the Docker host's kernel has no nftables, ",
         "type `modprobe nf_tables` there, as root."),
        (printed(more=f"{BRIDGED}{NFTABLES}inotify-instances 9\n"),
         f"root may make 9 more inotify instances on the Docker host, and the cluster needs {INOTIFY_BESIDE}",
         "type `sysctl fs.inotify.max_user_instances=512` there, as root."),
        (printed([*ROUTES, {"dst": "198.18.0.0/15", "dev": "tun0"}]),
         f"the outside range {RANGE} overlaps the route to 198.18.0.0/15 by tun0",
         "choose a free one as `podpath:outsideRange` in stacks/Pulumi.own.yaml."),
        (printed(resolvers="nameserver 198.18.0.53\n"),
         f"the outside range {RANGE} overlaps the resolver 198.18.0.53",
         "choose a free one as `podpath:outsideRange` in stacks/Pulumi.own.yaml."),
    ],
)  # fmt: skip
def test_each_refusal_is_one_sentence_that_says_what_to_do(
    told: str, why: str, cure: str, stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hostlook, "docker", lambda *argv, **options: told)
    with pytest.raises(PodpathError) as raised:
        check_host(stack, "agent:1")
    said = str(raised.value)
    assert said.startswith(why) and said.endswith(f": {cure}")
    assert "\n" not in said and ". " not in said


def test_a_host_that_has_all_is_looked_at_once_and_not_refused(
    stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []

    def docker(*argv: str, **options: object) -> str:
        asked.append(argv)
        return printed([*ROUTES, {"dst": RANGE, "dev": stack.outside_bridge}])

    monkeypatch.setattr(hostlook, "docker", docker)
    check_host(stack, "agent:1")
    (argv,) = asked
    assert argv[:2] == ("run", "--rm") and argv[-4:] == ("agent:1", "sh", "-c", LOOK)
    assert "--network host" in " ".join(argv)
