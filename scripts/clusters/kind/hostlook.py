"""What podpath has to know of the engine's host before it makes anything there, as one container sees it."""

from __future__ import annotations

import ctypes
import ipaddress
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from scripts.errors import PodpathError
from scripts.stack.profile import Profile
from scripts.transport.docker import docker

INOTIFY_COUNTED = 256
"""As many inotify instances are counted, and no more."""
INOTIFY_A_NODE, INOTIFY_BESIDE = 15, 25
"""Of root's inotify instances a node's programs have 14; the API server, its like and the balancers 24."""
MORE_INOTIFY = "sysctl fs.inotify.max_user_instances=512"
LOOK = (
    "ip -j -4 route; echo; ip -j -4 addr; echo; cat /etc/resolv.conf; echo;"
    " test -e /proc/sys/net/bridge/bridge-nf-call-iptables && echo bridged-frames-are-filtered;"
    " nft list tables > /dev/null && echo nftables-answers;"
    """ perl -e '$n = {x86_64 => 294, aarch64 => 26}->{$ARGV[1]} or exit; $free = 0;"""
    """ while ($free < $ARGV[0] && syscall($n, 0) >= 0) { $free++ }; print "inotify-instances $free\\n"'"""
    f" {INOTIFY_COUNTED} $(uname -m); true"
)
"""It makes as many of the wanted inotify instances as it can, by inotify_init1(2), and tells how many."""
DEFAULT_LIKE = 8
"""A route to a range broader than this prefix stands for all addresses: a VPN's 0.0.0.0/1 and 128.0.0.0/1."""


@dataclass(frozen=True)
class HostLook:
    """The host's IPv4 routes and addresses (as ``ip -j`` has them), resolvers (IPv4), and kernel features."""

    routes: list[dict[str, Any]]
    addresses: list[dict[str, Any]]
    resolvers: list[str]
    filters_bridged_frames: bool
    has_nftables: bool
    inotify_left: int | None = None
    """How many of ``INOTIFY_COUNTED`` instances root can still make; None where that is not known."""


def look(agent_image: str) -> HostLook:
    """Looks at the engine's host; raises PodpathError where no container can run on its network."""
    rights = ["--network", "host", "--cap-drop", "ALL", "--cap-add", "NET_ADMIN", "--user", "0"]
    return look_from(docker("run", "--rm", *rights, agent_image, "sh", "-c", LOOK))


def look_from(told: str) -> HostLook:
    """Reads what ``LOOK`` printed."""
    lines = told.splitlines()
    lists = [json.loads(line) for line in lines if line.startswith("[")]
    routes, addresses = lists if len(lists) == 2 else ([], [])
    words = [line.split() for line in lines]
    resolvers = [word[1] for word in words if word[:1] == ["nameserver"] and word[1:] and ":" not in word[1]]
    left = [int(word[1]) for word in words if word[:1] == ["inotify-instances"] and word[1:]]
    features = ("bridged-frames-are-filtered" in lines, "nftables-answers" in lines)
    return HostLook(routes, addresses, resolvers, *features, left[0] if left else None)


def check_host(profile: Profile, agent_image: str) -> None:
    """Raises PodpathError, in one sentence, where the engine's host lacks what podpath needs."""
    seen = look(agent_image)
    if not seen.filters_bridged_frames:
        raise PodpathError(
            "the kernel module br_netfilter is not loaded on the Docker host, and without it no node "
            "translates what its bridge carries: type `modprobe br_netfilter` there, as root."
        )
    if not seen.has_nftables:
        raise PodpathError(
            "the Docker host's kernel has no nftables, which podpath's fence is made of: "
            "type `modprobe nf_tables` there, as root."
        )
    needed = inotify_needed(profile)
    if seen.inotify_left is not None and seen.inotify_left < needed:
        few = f"root may make {seen.inotify_left} more inotify instances on the Docker host"
        raise PodpathError(f"{few}, and the cluster needs {needed}: type `{MORE_INOTIFY}` there, as root.")
    check_range(profile, seen)


def inotify_needed(profile: Profile) -> int:
    """How many inotify instances of root's the stack's cluster needs."""
    return INOTIFY_BESIDE + INOTIFY_A_NODE * len(profile.config.get("nodes") or ())


def free_inotify() -> int:
    """How many inotify instances, up to ``INOTIFY_COUNTED``, this user can still make on this machine."""
    libc, held = ctypes.CDLL(None), list[int]()
    try:
        while len(held) < INOTIFY_COUNTED and (made := libc.inotify_init1(os.O_CLOEXEC)) >= 0:
            held.append(made)
        return len(held)
    finally:
        for one in held:
            os.close(one)


def check_range(profile: Profile, seen: HostLook) -> None:
    """Raises PodpathError when the host has the stack's outside range in use already."""
    taken = overlapping(profile.outside_range, seen, profile.outside_bridge)
    if taken:
        raise PodpathError(
            f"the outside range {profile.outside_range} overlaps {taken}: choose a free one as "
            f"`podpath:outsideRange` in stacks/Pulumi.{profile.stack}.yaml."
        )


def overlapping(wanted: str, seen: HostLook, own: str = "") -> str:
    """What on a host overlaps the range ``wanted``, in words, or an empty text.

    Default routes overlap nothing, and what is on the interface ``own`` is ours.
    """
    network = ipaddress.ip_network(wanted)
    used = _in_use(seen, own)
    return next((what for what, where in used if ipaddress.ip_network(where).overlaps(network)), "")


def _in_use(seen: HostLook, own: str) -> Iterator[tuple[str, str]]:
    for route in seen.routes:
        if not _is_default(route["dst"]) and route.get("dev") != own:
            yield f"the route to {route['dst']} by {route.get('dev', '?')}", route["dst"]
    for link in seen.addresses:
        for address in link.get("addr_info", []) if link["ifname"] != own else ():
            yield f"the address {address['local']} of {link['ifname']}", address["local"]
    for resolver in seen.resolvers:
        yield f"the resolver {resolver}", resolver


def _is_default(destination: str) -> bool:
    return destination == "default" or ipaddress.ip_network(destination).prefixlen < DEFAULT_LIKE
