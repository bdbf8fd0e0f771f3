"""kubectl on a stack's cluster."""

from __future__ import annotations

from scripts.paths import program
from scripts.stack.profile import Profile
from scripts.transport.process import run


def kubectl(profile: Profile, *args: str, stdin: str | None = None, check: bool = True) -> str:
    """Runs kubectl with the stack's own kubeconfig and returns its stdout; raises CommandFailed."""
    where = [f"--kubeconfig={profile.kubeconfig}", f"--cache-dir={profile.folder / 'kube-cache'}"]
    argv = [program("kubectl"), *where, "--request-timeout=10s", *args]
    return run(argv, stdin=stdin, check=check).stdout
