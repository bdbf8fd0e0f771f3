"""Waits in a session of its own until a process has ended, then becomes another program.

``python -m scripts.transport.watchdog PID PROGRAM [ARG]...``: the kernel reports each end.
"""

from __future__ import annotations

import os
import select
import sys


def main(arguments: list[str]) -> None:
    """Waits for the end of the process and runs the program in this process's place."""
    pid, *argv = arguments
    try:
        ended = os.pidfd_open(int(pid))
    except ProcessLookupError:
        pass
    else:
        poll = select.poll()
        poll.register(ended, select.POLLIN)
        poll.poll()
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main(sys.argv[1:])
