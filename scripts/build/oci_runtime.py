#!/usr/bin/python3 -IS
"""An OCI runtime that drops CAP_SYS_RESOURCE from what it is asked to run, and then becomes runc.

For machines whose own capability set lacks it: there, ``docker run --privileged`` asks runc for a
capability nobody can grant ("unable to apply caps"). Docker passes the capabilities in the bundle's
config.json (create, run) and in the file of ``--process`` (exec); see the OCI runtime specification,
config.md#linux-process.
"""

import json
import os
import sys

DROPPED = "CAP_SYS_RESOURCE"


def without(process: dict) -> None:
    """Drops the capability from every set of a ``process`` object, in place."""
    for names in (process.get("capabilities") or {}).values():
        if DROPPED in names:
            names.remove(DROPPED)


def rewrite(path: str, key: str | None) -> None:
    """Rewrites the JSON file ``path``: its ``key`` is a process object, or the whole file is one."""
    with open(path) as source:
        document = json.load(source)
    without(document.get(key) or {} if key else document)
    with open(path, "w") as sink:
        json.dump(document, sink)


def main(argv: list) -> None:
    """Finds the bundle or process file among runc's arguments, rewrites it and becomes runc."""
    for position, word in enumerate(argv):
        name, equals, value = word.partition("=")
        value = value if equals else (argv[position + 1] if position + 1 < len(argv) else "")
        if name in ("--bundle", "-b"):
            rewrite(os.path.join(value, "config.json"), "process")
        elif name in ("--process", "-p") and "exec" in argv[:position]:
            rewrite(value, None)
    os.execvp("runc", ["runc", *argv])


if __name__ == "__main__":
    main(sys.argv[1:])
