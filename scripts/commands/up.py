"""`scripts/up`: from a bare machine to a verdict."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from labs import LABS
from scripts.cluster import balancer, cluster, deploy
from scripts.cluster.clitools import cli_tools
from scripts.cluster.engine import ensure_engine
from scripts.cluster.nodeimage import node_image
from scripts.cluster.outside import check_range, ensure_outside
from scripts.cluster.profile import Profile, profile_of
from scripts.cluster.workloads import build_all
from scripts.commands.shell import Stack, start
from scripts.errors import EXIT_OK, UsageError
from scripts.paths import STATE, private_folder
from scripts.progress import say, step


def up(
    stack: Stack = "kind",
    labs: Annotated[str, typer.Option(help="Deploy only these labs (comma-separated).")] = "",
    no_probe: Annotated[bool, typer.Option("--no-probe", help="Deploy, but do not probe.")] = False,
) -> int:
    """From a bare machine to a verdict: tools, cluster, images, pulumi up, probes, report."""
    profile = profile_of(stack)
    chosen, _ = chosen_labs(labs), profile.outside_range  # bad input ends here, before anything is made
    begun = time.monotonic()
    private_folder(STATE)
    with cluster.lock(profile.cluster):
        ensure_engine()
        images = _tools_and_images()
        changed = _cluster_and_labs(profile, images, chosen)
    say(f"up after {time.monotonic() - begun:.1f} s")
    if no_probe:
        from scripts.commands.probe import at_rest

        at_rest(profile, LABS)
        print(f"The labs are up. Next: scripts/probe {stack}".rstrip())
        return EXIT_OK
    return _probe(profile, changed)


def _probe(profile: Profile, changed: bool) -> int:
    """Judges every claim; only those at the doors where all were judged and nothing changed since."""
    from scripts.commands.probe import doors, every, judge

    judged = profile.folder / "judged"
    if judged.exists() and not changed:
        say(
            "nothing changed since every claim was judged: a look at the doors; scripts/probe asks everything"
        )
        return judge(profile, doors())
    judged.unlink(missing_ok=True)
    code = judge(profile, every())
    if code == EXIT_OK:
        judged.touch()
    return code


def chosen_labs(text: str) -> list[str]:
    """The labs named in a comma-separated list; raises UsageError for one that is none."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in LABS]
    if unknown:
        raise UsageError(f"there is no lab {unknown[0]!r}: choose from {', '.join(LABS)}.")
    return names


def _tools_and_images() -> dict[str, str]:
    """Builds the command line tools and the workloads' images side by side; what is cached costs nothing."""
    with ThreadPoolExecutor(1) as pool:
        images = pool.submit(build_all)
        link_tools(cli_tools().values())
        return images.result()


def link_tools(programs: Iterable[Path]) -> None:
    """Puts exactly these programs into .podpath/bin, by links."""
    folder = STATE / "bin"
    folder.mkdir(exist_ok=True)
    wanted = {program.name: program for program in programs}
    for link in folder.iterdir():
        if link.name not in wanted:
            link.unlink()
    for name, program in wanted.items():
        link = folder / name
        if not link.is_symlink() or link.readlink() != program:
            link.unlink(missing_ok=True)
            link.symlink_to(program)


def _cluster_and_labs(profile: Profile, images: dict[str, str], labs: list[str]) -> bool:
    """The cluster, its surroundings and the labs; whether anything of the cluster or the labs changed."""
    import json

    (profile.folder / "images.json").write_text(json.dumps(images, indent=1))
    registry = balancer.envoy_image(profile, images["base"])

    def image() -> str:
        check_range(profile, images["node-agent"])  # before any node is made
        return node_image(images)

    def balance(fresh: bool) -> None:
        """It also brings the Gateway API, without which no Gateway can be made."""
        balancer.ensure_balancer(profile, registry, fresh)

    new = cluster.ensure_cluster(profile, images, image, lambda: balance(fresh=True))
    if new:
        deploy.fresh_stack(profile)
    balance(fresh=False)
    with ThreadPoolExecutor(2) as pool:
        dns = pool.submit(cluster.wait_for_dns, profile)
        outside = pool.submit(ensure_outside, profile, images, cluster.nodes_of(profile.cluster))
        with step("pulumi up"):
            done = deploy.deploy(profile, labs)
        for future in (dns, outside):
            future.result()
    say(f"  {done}")
    return new or not re.fullmatch(r"\d+ unchanged", done)


if __name__ == "__main__":
    start(up)
