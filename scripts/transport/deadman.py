"""A damage with a dead-man beside it: a process at the same place that undoes it when nobody cares any more.

The dead-man is armed before the damage is done, in a session of its own, so it outlives the exec that
started it. It undoes the damage when it was not told for ``beat`` seconds that somebody is still there, and
after ``limit`` seconds in any case. All it needs is kept in a folder at the place.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from scripts.transport.executor import Executor, Place, PodExecError, text_of

FOLDER = "/tmp/podpath-fault-"
BEAT = 5
"""Seconds without a sign of life after which the damage is undone."""
PATIENCE = 15.0
"""Seconds for one exec that damages or undoes."""
Argv = Sequence[str]

_WATCH = """\
echo $$ >pid
end=$(($(date +%s) + {limit}))
while [ -d {folder} ]; do
    now=$(date +%s)
    last=$(stat -c %Y {folder}/beat 2>/dev/null || echo 0)
    if [ $((now - last)) -ge {beat} ] || [ $now -ge $end ]; then
        if sh {folder}/undo >/dev/null 2>&1; then rm -rf {folder}; exit 0; fi
    fi
    sleep 0.5
done
"""
_ARM = """\
mkdir {folder} 2>/dev/null || {{ echo "a fault of that name is still there" >&2; exit 17; }}
cd {folder} && printf %s {undo} >undo && printf %s {watch} >watch && : >beat || exit 18
setsid sh watch </dev/null >/dev/null 2>&1 &
until [ -e pid ]; do :; done
"""


def arm(
    execute: Executor,
    place: Place,
    name: str,
    do: Sequence[Argv],
    undo: Sequence[Argv],
    there: Argv = (),
    beat: float = BEAT,
    limit: float = 60,
) -> None:
    """Arms a dead-man at ``place``, then does the damage; raises PodExecError, with nothing left damaged.

    ``there`` ends with 0 as long as the damage stands.
    """
    folder = shlex.quote(FOLDER + name)
    watch = _WATCH.format(folder=folder, limit=int(limit), beat=int(beat))
    script = _ARM.format(
        folder=folder, undo=shlex.quote(undoing(undo, there)), watch=shlex.quote(watch)
    ) + "".join(f"{shlex.join(argv)} || exit 1\n" for argv in do)
    done = execute(place, ["sh", "-c", script], timeout=PATIENCE)
    if done.returncode != 0:
        said = text_of(done.stderr).strip().splitlines()[-1:] or [f"exit {done.returncode}"]
        disarm(execute, place, name, undo, there)
        raise PodExecError(f"the damage could not be done in {place}: {said[0]}")


def live(execute: Executor, place: Place, names: Sequence[str]) -> bool:
    """Tells the dead-men at a place that somebody is there; whether all of them still were."""
    files = [f"{FOLDER}{name}/beat" for name in names]
    script = " && ".join(f"test -e {shlex.quote(file)} && touch {shlex.quote(file)}" for file in files)
    return execute(place, ["sh", "-c", script], timeout=PATIENCE).returncode == 0


def disarm(execute: Executor, place: Place, name: str, undo: Sequence[Argv], there: Argv = ()) -> bool:
    """Undoes a damage, also one without its dead-man; whether it is gone. Raises PodExecError."""
    folder = shlex.quote(FOLDER + name)
    script = f"( {undoing(undo, there)} ) && rm -rf {folder}"
    return execute(place, ["sh", "-c", script], timeout=PATIENCE).returncode == 0


def undoing(undo: Sequence[Argv], there: Argv = ()) -> str:
    """A shell program that undoes a damage and ends with 0 once it is gone."""
    steps = "; ".join(shlex.join(argv) for argv in undo)
    if not there:
        return f"{steps}\n"
    test = f"{shlex.join(there)} >/dev/null 2>&1"
    return f"n=0\nwhile {test}; do\n[ $n -lt 10 ] || exit 1\nn=$((n + 1))\n{steps}\ndone\ntrue\n"
