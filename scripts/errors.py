"""The errors a person sees: one sentence that says what was wrong and what to type."""

from __future__ import annotations

import errno

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_ENVIRONMENT = 0, 1, 2, 3


class PodpathError(Exception):
    """Something in the environment is missing or refuses to work; ends a command with exit code 3."""

    exit_code = EXIT_ENVIRONMENT


class NotThere(PodpathError):
    """The API server has no such object (404)."""


class Forbidden(PodpathError):
    """The API server knows who asks, and does not allow it (403)."""


class Terminated(KeyboardInterrupt):
    """SIGTERM: ends a command as an interrupt does, but did not reach the programs that it runs."""


class UsageError(PodpathError):
    """Invalid command line; ends a command with exit code 2."""

    exit_code = EXIT_USAGE


CURES = {
    errno.ENOSPC: "make room, then run the command again",
    errno.EDQUOT: "make room, then run the command again",
    errno.EROFS: "podpath keeps its state in its own checkout, so clone it to a folder of yours",
    errno.EACCES: "run podpath as the user whose it is, or clone podpath to a folder of yours",
    errno.EPERM: "run podpath as the user whose it is, or clone podpath to a folder of yours",
    errno.EMFILE: "allow more open files (ulimit -n 1024), then run the command again",
    errno.ENFILE: "close other programs, or raise the kernel's fs.file-max",
    errno.EAGAIN: "allow more processes (ulimit -u), or end some",
    errno.ENOMEM: "end other programs to free memory",
    errno.EISDIR: "move this folder away",
    errno.ENOTDIR: "move the file that stands where a folder should be away",
    errno.EEXIST: "move it away",
    errno.ENAMETOOLONG: "use shorter names, or a checkout nearer to the root folder",
    errno.ELOOP: "remove the link that points to itself",
    errno.EIO: "look at the disk",
    errno.EFBIG: "allow larger files (ulimit -f)",
    errno.ENOEXEC: "put the program for this machine on PATH, or remove it",
}
"""What to do about errors of the operating system that are the environment's and no bug's."""


def environment_trouble(error: BaseException) -> str:
    """One sentence about an error that the environment is to blame for; empty for a bug."""
    if isinstance(error, MemoryError):
        return f"there is not enough memory: {CURES[errno.ENOMEM]}."
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return f"no further thread can be started: {CURES[errno.EAGAIN]}."
    if not isinstance(error, OSError) or error.errno not in CURES:
        return ""
    place = f"{error.filename}: " if error.filename is not None else ""
    return f"{place}{error.strerror}: {CURES[error.errno]}."
