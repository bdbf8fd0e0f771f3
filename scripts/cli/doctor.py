"""`scripts/doctor`: what this machine has and lacks, and what to do about it. Changes nothing."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from scripts.build import clitools
from scripts.build.engine import lacks_sys_resource, may_install, refusal
from scripts.build.enginefacts import engine_facts
from scripts.build.engineplace import place_trouble, system_trouble
from scripts.build.registries import Registries
from scripts.cli._arguments import Stack
from scripts.cli._features import features
from scripts.clusters.given.access import enter, terms_of
from scripts.clusters.given.roles import lacking, rules_of
from scripts.clusters.kind import balancer, nodes
from scripts.clusters.kind.hostlook import INOTIFY_COUNTED, MORE_INOTIFY, free_inotify
from scripts.clusters.kind.supply import Supply, Way, supplies
from scripts.errors import EXIT_ENVIRONMENT, EXIT_OK, PodpathError
from scripts.paths import cache
from scripts.stack.profile import Profile, profile_of

State = Literal["ok", "note", "missing"]
MARKS = {"ok": "[green]✓[/green]", "note": "[yellow]–[/yellow]", "missing": "[red]✗[/red]"}
INOTIFY_ROOMY = 512  # kind's known issues: "Pod errors due to too many open files"
FREE_GIB, PULLED_GIB = 12, 6
"""Where programs are built, and where everything is pulled or there."""


@dataclass(frozen=True)
class Finding:
    """One item: its state, what was found, and what to do about it (empty where nothing is needed)."""

    thing: str
    state: State
    seen: str
    advice: str = ""


def doctor(stack: Stack = "kind") -> int:
    """Shows what this machine has and lacks, and what to do about it; changes nothing."""
    profile = profile_of(stack)
    if profile.terms is not None:
        found = [look() for look in (machine, tools)] + _given(profile)
    elif (here := system()).state == "missing":  # the others look at Linux
        found = [here]
    else:
        things = _supplies(profile)
        found = [here, *(look() for look in LOOKS), disk(things), *_shown(things), *_stack(profile)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "what", "seen", "what to do"):
        table.add_column(column, overflow="fold")
    for finding in found:
        table.add_row(MARKS[finding.state], finding.thing, finding.seen, finding.advice)
    Console(highlight=False, no_color="NO_COLOR" in os.environ).print(table)
    lacking = [finding.thing for finding in found if finding.state == "missing"]
    print(
        f"\nMissing: {', '.join(lacking)}." if lacking else f"\nNothing is missing. Next: scripts/up {stack}"
    )
    return EXIT_ENVIRONMENT if lacking else EXIT_OK


def system() -> Finding:
    """The operating system, and whether podpath can work on it at all."""
    seen = f"{platform.system()} {platform.release()}"
    if trouble := system_trouble(platform.system(), platform.release()):
        why, _, cure = trouble.partition(": ")
        return Finding("system", "missing", f"{seen}; {why}", cure.rstrip("."))
    if "microsoft" in platform.release().lower():
        return Finding(
            "system", "note", f"{seen} (WSL 2)", "what its kernel lacks is skipped: see kernel below"
        )
    return Finding("system", "ok", seen)


def machine() -> Finding:
    """Processors, memory, Python."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    seen = f"{os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"
    return Finding(
        "machine", "ok" if memory > 5 else "note", seen, "" if memory > 5 else "three nodes need 6 GiB"
    )


def disk(things: Sequence[Supply] | None) -> Finding:
    """Free space where tools and images go: more where some are built, or where that is not known."""
    folder = next(parent for parent in [cache(), *cache().parents] if parent.exists())
    free = shutil.disk_usage(folder).free / 2**30
    needed = FREE_GIB if things is None or any(one.compiled for one in things) else PULLED_GIB
    return Finding(
        "disk",
        "ok" if free >= needed else "missing",
        f"{free:.0f} GiB free in {folder}",
        "" if free >= needed else f"make {needed} GiB free",
    )


def engine() -> Finding:
    """A Docker Engine on this machine that answers, or one that we may install."""
    if elsewhere := place_trouble():
        why, _, cure = elsewhere.rpartition(": ")
        return Finding("Docker Engine", "missing", why, cure.rstrip("."))
    trouble = refusal()
    if trouble is None:
        facts = engine_facts()
        seen = "; ".join([facts.version, *facts.particulars()])
        obstacle = facts.obstacle()
        return Finding("Docker Engine", "missing" if obstacle else "ok", seen, obstacle)
    if may_install():
        return Finding("Docker Engine", "note", trouble.splitlines()[0], "scripts/up installs and starts it")
    return Finding(
        "Docker Engine",
        "missing",
        trouble.splitlines()[0],
        "start Docker, or run as root on Debian or Ubuntu",
    )


def capabilities() -> Finding:
    """CAP_SYS_RESOURCE, without which privileged containers need our OCI runtime."""
    if lacks_sys_resource(Path("/proc/self/status").read_text()):
        return Finding(
            "CAP_SYS_RESOURCE",
            "note",
            "not in the bounding set",
            "scripts/up starts dockerd with a runtime that does not need it",
        )
    return Finding("CAP_SYS_RESOURCE", "ok", "in the bounding set")


def cgroups() -> Finding:
    """The cgroup version the kubelet will find."""
    second = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    return Finding(
        "cgroup",
        "ok" if second else "note",
        "v2" if second else "v1",
        "" if second else "scripts/up sets failCgroupV1: false",
    )


def inotify() -> Finding:
    """The limit that kind clusters reach first; the programs of all nodes share root's."""
    limit = int(Path("/proc/sys/fs/inotify/max_user_instances").read_text())
    seen, roomy = f"at most {limit} for a user", limit >= INOTIFY_ROOMY
    if os.geteuid() == 0:
        free = free_inotify()
        seen += f", of root's {free} are left" if free < INOTIFY_COUNTED else ""
        roomy = roomy or free >= INOTIFY_ROOMY / 2
    advice = "" if roomy else f"before a cluster more is made: {MORE_INOTIFY}"
    return Finding("inotify instances", "ok" if roomy else "note", seen, advice)


def kernel() -> Finding:
    """Kernel features that labs use; probes that lack their feature are skipped."""
    features = {
        "br_netfilter": Path("/proc/sys/net/bridge/bridge-nf-call-iptables").exists(),
        "conntrack": Path("/proc/sys/net/netfilter/nf_conntrack_max").exists(),
        "IPVS": Path("/proc/net/ip_vs").exists(),
    }
    seen = ", ".join(f"{name} {'yes' if there else 'no'}" for name, there in features.items())
    if not features["br_netfilter"]:
        return Finding("kernel", "missing", seen, "load it, as root: modprobe br_netfilter")
    absent = [name for name, there in features.items() if not there]
    return Finding(
        "kernel",
        "note" if absent else "ok",
        seen,
        f"probes that need {', '.join(absent)} are skipped" if absent else "",
    )


def tools() -> Finding:
    """The command line tools that a given cluster needs: from PATH, cached, or still to be built."""
    wanting = clitools.missing_deploying_tools()
    if not wanting:
        return Finding("tools", "ok", "pulumi, its Kubernetes provider and kubectl are there")
    return Finding(
        "tools",
        "note",
        f"not there yet: {', '.join(wanting)}",
        "scripts/up builds them from pinned Go modules",
    )


LOOKS: tuple[Callable[[], Finding], ...] = (
    machine,
    engine,
    capabilities,
    cgroups,
    inotify,
    kernel,
)


def _given(profile: Profile) -> list[Finding]:
    """A cluster that somebody else made: who it is, what may be done there, and its features."""
    terms = terms_of(profile)
    name = f"context {terms.context}"
    try:
        api = enter(profile)
        version = str(api.get("/version").get("gitVersion", "of no version"))
        missing = lacking(api, rules_of(terms, terms.may))
        shown = _features(profile)
    except PodpathError as error:
        return [Finding(name, "missing", str(error))]
    tier = f"tier {terms.may.value} ({terms.may.word})"
    may = f"it lacks {', '.join(missing)}" if missing else f"all that {tier} needs"
    advice = f"see scripts/rights --tier {terms.may.value} {profile.stack}" if missing else ""
    return [
        Finding(name, "ok", f"Kubernetes {version} at {api.server}"),
        Finding("rights", "missing" if missing else "ok", may, advice),
        *shown,
    ]


def _features(profile: Profile) -> list[Finding]:
    return [Finding(one.name, "ok" if one.there else "note", one.reason) for one in features(profile)]


def _supplies(profile: Profile) -> list[Supply] | None:
    """How each thing comes that the stack needs; None where no Engine can be asked for it."""
    return None if place_trouble() or refusal() is not None else supplies(profile, Registries())


def _shown(things: Sequence[Supply] | None) -> list[Finding]:
    if things is None:
        why = "scripts/up pulls them where a registry is in reach, else builds them"
        return [Finding("tools and images", "note", "no Docker Engine to ask for them", why)]
    states: dict[Way, State] = {Way.THERE: "ok", Way.PULLED: "note", Way.BUILT: "note"}
    return [Finding(one.thing, states[one.way], one.told, one.advice) for one in things]


def _stack(profile: Profile) -> list[Finding]:
    """The stack's cluster and load balancer, where an Engine answers."""
    if place_trouble() or refusal() is not None:
        return []
    standing = nodes.nodes_of(profile.cluster)
    if not standing:
        return [Finding(f"cluster {profile.cluster}", "note", "not there", "scripts/up makes it")]
    whole = nodes.is_whole(profile, standing)
    shown = _features(profile) if whole else []
    running = balancer.is_running(profile)
    return [
        Finding(
            f"cluster {profile.cluster}",
            "ok" if whole else "note",
            f"{len(standing)} nodes, {'complete' if whole else 'incomplete, or made by another checkout'}",
            "" if whole else "scripts/up replaces what podpath made",
        ),
        Finding(
            "load balancer",
            "ok" if running else "note",
            "running" if running else "not running",
            "" if running else "scripts/up starts it",
        ),
        *shown,
    ]
