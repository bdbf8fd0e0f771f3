"""`scripts/doctor`: what this machine has, lacks, and what to do about it. Changes nothing."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from scripts.cluster import balancer, clitools, cluster
from scripts.cluster.engine import lacks_sys_resource, may_install, refusal
from scripts.cluster.profile import Profile, profile_of
from scripts.commands.shell import Stack, start
from scripts.errors import EXIT_ENVIRONMENT, EXIT_OK
from scripts.paths import cache

State = Literal["ok", "note", "missing"]
MARKS = {"ok": "[green]✓[/green]", "note": "[yellow]–[/yellow]", "missing": "[red]✗[/red]"}
INOTIFY_INSTANCES = 512  # kind's known issues: "Pod errors due to too many open files"
FREE_GIB = 12


@dataclass(frozen=True)
class Finding:
    """One thing looked at: its state, what was seen, and what to do where something is to be done."""

    thing: str
    state: State
    seen: str
    advice: str = ""


def doctor(stack: Stack = "kind") -> int:
    """Tells what this machine has, lacks, and what to do about it; changes nothing."""
    found = [look() for look in LOOKS] + _stack(profile_of(stack))
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


def machine() -> Finding:
    """Processors, memory, kernel, Python."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    software = f"Linux {platform.release()}, Python {platform.python_version()}"
    seen = f"{os.cpu_count()} cores, {memory:.0f} GiB, {software}"
    return Finding(
        "machine", "ok" if memory > 5 else "note", seen, "" if memory > 5 else "three nodes want 6 GiB"
    )


def disk() -> Finding:
    """Free space where tools and images go."""
    folder = next(parent for parent in [cache(), *cache().parents] if parent.exists())
    free = shutil.disk_usage(folder).free / 2**30
    enough = free >= FREE_GIB
    return Finding(
        "disk",
        "ok" if enough else "missing",
        f"{free:.0f} GiB free in {folder}",
        "" if enough else f"make {FREE_GIB} GiB free",
    )


def engine() -> Finding:
    """A Docker Engine that answers, or one that we may install."""
    trouble = refusal()
    if trouble is None:
        return Finding("Docker Engine", "ok", "answers")
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
            "scripts/up starts dockerd with a runtime that does without",
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
    """The limit that kind clusters meet first."""
    limit = int(Path("/proc/sys/fs/inotify/max_user_instances").read_text())
    few = limit < INOTIFY_INSTANCES
    advice = f"with more clusters: sysctl fs.inotify.max_user_instances={INOTIFY_INSTANCES}" if few else ""
    return Finding("inotify instances", "note" if few else "ok", str(limit), advice)


def kernel() -> Finding:
    """Kernel features of which labs make use; a lab without its feature is skipped."""
    features = {
        "br_netfilter": Path("/proc/sys/net/bridge/bridge-nf-call-iptables").exists(),
        "conntrack": Path("/proc/sys/net/netfilter/nf_conntrack_max").exists(),
        "IPVS": Path("/proc/net/ip_vs").exists(),
    }
    absent = [name for name, there in features.items() if not there]
    seen = ", ".join(f"{name} {'yes' if there else 'no'}" for name, there in features.items())
    return Finding(
        "kernel",
        "note" if absent else "ok",
        seen,
        f"labs that need {', '.join(absent)} are skipped" if absent else "",
    )


def tools() -> Finding:
    """The command line tools: from PATH, cached, or still to be built."""
    wanting = clitools.missing_cli_tools()
    if not wanting:
        return Finding("tools", "ok", "kind, pulumi, kubectl and cloud-provider-kind are there")
    return Finding(
        "tools",
        "note",
        f"not there yet: {', '.join(wanting)}",
        "scripts/up builds them from pinned Go modules",
    )


LOOKS: tuple[Callable[[], Finding], ...] = (
    machine,
    disk,
    engine,
    capabilities,
    cgroups,
    inotify,
    kernel,
    tools,
)


def _stack(profile: Profile) -> list[Finding]:
    """The stack's cluster and load balancer, where an Engine answers."""
    if refusal() is not None:
        return []
    nodes = cluster.nodes_of(profile.cluster)
    if not nodes:
        return [Finding(f"cluster {profile.cluster}", "note", "not there", "scripts/up makes it")]
    whole = cluster.is_whole(profile, nodes)
    running = balancer.pid_of(profile)
    return [
        Finding(
            f"cluster {profile.cluster}",
            "ok" if whole else "note",
            f"{len(nodes)} nodes, {'whole' if whole else 'not whole, or not of this checkout'}",
            "" if whole else "scripts/up replaces what podpath made",
        ),
        Finding(
            "load balancer",
            "ok" if running else "note",
            f"process {running}" if running else "does not run",
            "" if running else "scripts/up starts it",
        ),
    ]


if __name__ == "__main__":
    start(doctor)
