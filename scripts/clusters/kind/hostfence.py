"""The fence's half on the engine's host: an nftables table of our own, one a stack.

Nothing that enters by a bridge of the stack leaves by another interface, and nothing that enters by another
interface leaves by one of them: the stack's two Docker networks are open to each other's containers only.
A verdict ``reject`` of any table is final, so the table holds whatever Docker's own rules say, and it does
not rest on Docker's chains, which are not there with ``iptables: false`` or Docker's nftables backend.

The rules are put and read by a container on the host's network: that works wherever Docker does. See nft(8).
"""

from __future__ import annotations

from pathlib import Path

from scripts.clusters.kind.networks import LABEL
from scripts.stack.profile import Profile
from scripts.transport.docker import docker
from scripts.transport.process import run

ROLE = "podpath.role"
STANDS = "it stands"
UNREADABLE = "it cannot be read without the image of the node-agent: scripts/up makes it again"
REJECT = "counter reject with icmpx admin-prohibited"


def host_table(profile: Profile) -> str:
    """The table as ``nft --stateless list table`` prints it."""
    rules = [
        f'\t\t{entering} "{bridge}" {leaving} != "{bridge}" {REJECT}'
        for bridge in (profile.bridge, profile.outside_bridge)
        for entering, leaving in (("iifname", "oifname"), ("oifname", "iifname"))
    ]
    chain = ["\tchain forward {", "\t\ttype filter hook forward priority filter - 10; policy accept;"]
    return "\n".join([f"table inet {profile.fence_table} {{", *chain, *rules, "\t}", "}"])


def close_host(profile: Profile, agent_image: str) -> None:
    """Puts the table where it is not, or not whole, with the container that keeps looking at it."""
    if not _stands(profile, agent_image):
        docker("rm", "--force", "--volumes", profile.host, check=False)
        labels = ["--label", f"{LABEL}={profile.cluster}", "--label", f"{ROLE}=host"]
        docker("run", "--detach", "--name", profile.host, *labels, *_rights(), agent_image)
    if not host_closed(profile):
        name = f"inet {profile.fence_table}"
        program = f"add table {name}\ndelete table {name}\n{host_table(profile)}\n"
        _record(profile).touch()
        docker("exec", "--interactive", profile.host, "nft", "-f", "-", stdin=program)


def host_closed(profile: Profile) -> bool:
    """Whether the host has the whole table."""
    told = run(["docker", "exec", profile.host, *listing(profile)], check=False)
    return told.returncode == 0 and told.stdout.strip() == host_table(profile)


def listing(profile: Profile) -> tuple[str, ...]:
    """The program that prints the table, without what it counted."""
    return ("nft", "--stateless", "list", "table", "inet", profile.fence_table)


def open_host(profile: Profile) -> list[str]:
    """Takes the table and its container away; names what was removed."""
    removed = []
    if fence_left(profile) == STANDS:
        _once(_agent_image(), "nft", "delete", "table", "inet", profile.fence_table)
        removed.append("the fence on the host")
    if not fence_left(profile):
        _record(profile).unlink(missing_ok=True)
    docker("rm", "--force", "--volumes", profile.host, check=False)
    return removed


def fence_left(profile: Profile) -> str:
    """Whether the host still has the stack's table, in words; empty where it has not.

    Without our agent's image it cannot be read; then it is unknown where a table was once put.
    """
    image = _agent_image()
    if not image:
        return UNREADABLE if _record(profile).exists() else ""
    listed = _once(image, "nft", "list", "tables", "inet").splitlines()
    return STANDS if f"table inet {profile.fence_table}" in listed else ""


def _stands(profile: Profile, agent_image: str) -> bool:
    form = "{{.State.Running}} {{.Config.Image}}"
    return docker("inspect", "--format", form, profile.host, check=False) == f"true {agent_image}"


def _rights() -> list[str]:
    rights = ["--cap-drop", "ALL", "--cap-add", "NET_ADMIN", "--cap-add", "NET_RAW", "--cap-add", "SETGID"]
    return ["--network", "host", *rights, "--read-only", "--tmpfs", "/tmp", "--tmpfs", "/run", "--user", "0"]


def _once(agent_image: str, *argv: str) -> str:
    return docker("run", "--rm", *_rights(), "--entrypoint", argv[0], agent_image, *argv[1:])


def _agent_image() -> str:
    tags = docker("images", "--format", "{{.Repository}}:{{.Tag}}", "podpath/node-agent").split()
    return tags[0] if tags else ""


def _record(profile: Profile) -> Path:
    """Is there while the host may have the table."""
    return profile.folder / "fence"
