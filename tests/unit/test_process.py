"""Programs that are run, and programs that are left running."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from scripts.errors import PodpathError
from scripts.process import CommandFailed, run, start_daemon, start_time
from scripts.waiting import eventually


def test_a_failure_is_one_sentence_with_the_last_line() -> None:
    with pytest.raises(CommandFailed, match=r"^sh -c .* ended with exit code 4: why$"):
        run(["sh", "-c", "echo first; echo why >&2; exit 4"])


def test_a_missing_program_is_told(tmp_path: Path) -> None:
    for start in (
        lambda: run(["no-such-program"]),
        lambda: start_daemon(["no-such-program"], tmp_path / "log"),
    ):
        with pytest.raises(PodpathError, match=r"no-such-program is missing: run scripts/doctor"):
            start()


def test_a_daemon_lives_in_its_own_session_and_writes_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    pid = start_daemon(
        ["sh", "-c", 'echo "$WORD"; echo more >&2; exec tail -f /dev/null'], log, {"WORD": "said"}
    )
    try:
        assert os.getsid(pid) == pid
        assert eventually(lambda: log.read_text() == "said\nmore\n", 10, "the log to be written")
        assert start_time(pid) is not None
    finally:
        os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: start_time(pid) is None, 10, "the daemon to be gone")
