"""The host outside the cluster: a container on the nodes' network that is no node."""

from __future__ import annotations

from scripts.cluster.docker import docker
from scripts.cluster.profile import Profile


def ensure_outside(profile: Profile, client_image: str) -> None:
    """Starts the outside host unless it runs from this very image."""
    running = docker(
        "inspect", "--format", "{{.State.Running}} {{.Config.Image}}", profile.outside, check=False
    )
    if running == f"true {client_image}":
        return
    docker("rm", "--force", profile.outside, check=False)
    options = [
        "--network",
        profile.network,
        "--cap-drop",
        "ALL",
        "--label",
        f"podpath.cluster={profile.cluster}",
    ]
    docker("run", "--detach", "--name", profile.outside, "--hostname", "outside", *options, client_image)


def remove_outside(profile: Profile) -> bool:
    """Removes the outside host; True when there was one."""
    return bool(docker("rm", "--force", profile.outside, check=False))
