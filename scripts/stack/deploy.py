"""The Pulumi CLI on a stack: up, destroy, and the stack's outputs kept beside its state."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from scripts.errors import PodpathError
from scripts.paths import ROOT, STATE, program
from scripts.progress import say, step
from scripts.stack.kubectl import kubectl
from scripts.stack.profile import Profile
from scripts.stack.state import UNREADABLE, interrupted, outputs, put_aside, read_state, state_file
from scripts.stack.variables import environment
from scripts.transport.process import CommandFailed, run
from scripts.waiting import TIMEOUTS

LABS_VARIABLE = "PODPATH_LABS"
WORKLOADS = "deployments,statefulsets,daemonsets,pods,namespaces"
MADE_BY = {"app.kubernetes.io/managed-by": "podpath"}
STACK_LABEL = "podpath/stack"
"""The labels of the namespaces that a stack makes: as in labs/lab.py."""
UNRECORDED = re.compile(r"Server-Side Apply field conflict|already exists")


class Unrecorded(PodpathError):
    """The cluster has an object that the stack does not know to be its own."""


def exports_file(profile: Profile) -> Path:
    """The stack's outputs as of the last `scripts/up`."""
    return profile.folder / "exports.json"


def pulumi(
    profile: Profile, *args: str, env: dict[str, str] | None = None, timeout: float | None = None
) -> str:
    """Runs ``pulumi ARGS`` on the stack and returns its stdout; raises PodpathError with its diagnosis."""
    variables = {**environment(profile.stack), **(env or {})}
    argv = [
        program("pulumi"),
        *args,
        "--non-interactive",
        "--color",
        "never",
        "--stack",
        profile.stack,
    ]
    log = profile.folder / "pulumi.log"
    try:
        done = run(argv, env=variables, cwd=ROOT, timeout=timeout).stdout
        log.write_text(done)
        return done
    except CommandFailed as failed:
        log.write_text(failed.output)
        kind = Unrecorded if UNRECORDED.search(failed.output) else PodpathError
        raise kind(diagnosis(failed.output, profile)) from failed


def diagnosis(output: str, profile: Profile) -> str:
    """One sentence out of the CLI's output."""
    if "incorrect passphrase" in output:
        return (
            "PULUMI_CONFIG_PASSPHRASE does not fit the stack's encryptionsalt: "
            "unset it to use podpath's own, "
            f"or type the one that stacks/Pulumi.{profile.stack}.yaml was made with."
        )
    found = re.findall(
        r"^\s*(?:error:|\*) (.+)$", output.partition("Diagnostics:")[2] or output, flags=re.MULTILINE
    )
    vague = re.compile(r"update failed|\d+ errors? occurred|failed to fully initialize")
    telling = [error.strip() for error in found if not vague.search(error)] or found or ["no error line"]
    return f"pulumi failed: {telling[0].rstrip('.')} (all of it: {profile.folder / 'pulumi.log'})."


def fresh_stack(profile: Profile) -> None:
    """An empty stack: what an earlier cluster held is gone with it."""
    if aside := put_aside(profile):
        say(f"  the stack's state could not be read; it is now {aside}")
    if state_file(profile).exists():
        pulumi(profile, "stack", "rm", "--force", "--yes", "--preserve-config")
    exports_file(profile).unlink(missing_ok=True)


def kept_exports(profile: Profile) -> str | None:
    """The stack's outputs as kept in exports.json; None where its state is newer than that."""
    kept, state = exports_file(profile), state_file(profile)
    fresh = kept.exists() and kept.stat().st_mtime_ns >= state.stat().st_mtime_ns
    return kept.read_text(errors="replace") if fresh else None


def read_exports(profile: Profile) -> str:
    """The stack's outputs as the CLI tells them, a second or two; kept in exports.json."""
    told = pulumi(profile, "stack", "output", "--json")
    exports_file(profile).write_text(told)
    return told


def _start_anew(profile: Profile) -> None:
    """Deletes the labs' namespaces and begins with an empty stack.

    An object that was being made may exist without the stack knowing it; creating it again would fail.
    """
    _delete_labs(profile, wait=True)
    fresh_stack(profile)
    _init_stack(profile)


def _delete_labs(profile: Profile, wait: bool) -> None:
    """Asks the API server to delete the labs' workloads and namespaces, all of them at once.

    The stack's namespaces are known by their labels: one that merely has such a name is somebody else's.
    """
    items = json.loads(kubectl(profile, "get", WORKLOADS, "--all-namespaces", "--output", "json"))["items"]
    ours = {item["metadata"]["name"] for item in items if _is_ours(item, profile)}
    roots = [
        {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": _place_of(item)}
        for item in items
        if _namespace_of(item) in ours and not item["metadata"].get("ownerReferences")
    ]
    if roots:
        every = json.dumps({"apiVersion": "v1", "kind": "List", "items": roots})
        how = ["--ignore-not-found", f"--wait={str(wait).lower()}", f"--timeout={TIMEOUTS.deploy:.0f}s"]
        kubectl(profile, "--request-timeout=0", "delete", "--filename", "-", *how, stdin=every)


def _is_ours(item: dict[str, Any], profile: Profile) -> bool:
    """Whether this is a namespace that the stack made."""
    labels = item["metadata"].get("labels") or {}
    ours = {**MADE_BY, STACK_LABEL: profile.stack, **profile.owner}
    return item["kind"] == "Namespace" and ours.items() <= labels.items()


def _namespace_of(item: dict[str, Any]) -> str:
    """The namespace that an object is in, or is."""
    return str(item["metadata"].get("namespace") or item["metadata"]["name"])


def _place_of(item: dict[str, Any]) -> dict[str, str]:
    return {key: item["metadata"][key] for key in ("name", "namespace") if key in item["metadata"]}


def _init_stack(profile: Profile) -> None:
    run(
        [program("pulumi"), "stack", "init", profile.stack, "--non-interactive", "--no-select"],
        env=environment(profile.stack),
        cwd=ROOT,
    )


def deploy(profile: Profile, labs: Sequence[str] | None, compare: bool = False) -> str:
    """``pulumi up``; returns its summary in words, and keeps the outputs in exports.json.

    ``compare``: what Pulumi believes of the objects is first compared with what the cluster has.
    """
    if not state_file(profile).exists():
        _init_stack(profile)
    _break_stale_lock(profile)
    before = read_state(profile)
    if interrupted(before):
        with step("take away what an interrupted pulumi up left half-made"):
            _start_anew(profile)
    kept = kept_exports(profile)
    env = {LABS_VARIABLE: ",".join(labs)} if labs else {}
    how = ["--yes", "--skip-preview", "--suppress-outputs", *(["--refresh"] if compare else [])]
    up = partial(pulumi, profile, "up", *how, env=env, timeout=TIMEOUTS.deploy)
    try:
        out = up()
    except Unrecorded:  # an interrupt came between an object's making and its record
        with step("take away labs that the stack only knows in part"):
            _start_anew(profile)
        out = up()
    if kept and outputs(before) == outputs(read_state(profile)):
        exports_file(profile).touch()
    else:
        read_exports(profile)
    return summary(out)


def unchanged(summed: str) -> bool:
    """Whether a summary says that nothing was done."""
    return re.fullmatch(r"\d+ unchanged", summed) is not None


def summary(output: str) -> str:
    """The lines under ``Resources:`` of ``pulumi up`` in one line."""
    block = output.partition("Resources:")[2].partition("Duration")[0]
    return ", ".join(line.strip().lstrip("+-~ ") for line in block.splitlines() if line.strip())


def destroy(profile: Profile) -> str:
    """``pulumi destroy`` and the end of the stack; its tracked configuration file stays."""
    _break_stale_lock(profile)
    with ThreadPoolExecutor(1) as pool:
        # Pulumi deletes layer by layer, and a namespace's Pods live on for five seconds once it is deleted.
        ahead = pool.submit(_delete_labs, profile, wait=False)
        out = pulumi(profile, "destroy", "--yes", "--skip-preview", timeout=TIMEOUTS.deploy)
        ahead.result()
    pulumi(profile, "stack", "rm", "--yes", "--preserve-config")
    exports_file(profile).unlink(missing_ok=True)
    return summary(out)


def _break_stale_lock(profile: Profile) -> None:
    """Removes the file backend's lock when the process that took it is gone (an interrupted up)."""
    for lock in (STATE / "state" / ".pulumi" / "locks").glob(f"**/{profile.stack}/*.json"):
        try:
            os.kill(int(json.loads(lock.read_bytes())["pid"]), 0)
        except (ProcessLookupError, OverflowError, *UNREADABLE):  # a damaged one was being written
            lock.unlink()
