"""Whether a file can be written is known before there is anything to write."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from scripts.errors import UsageError
from scripts.reporting.output import writable


def test_files_pipes_and_standard_output_can_be_written(tmp_path: Path) -> None:
    pipe, file = tmp_path / "pipe", tmp_path / "file"
    os.mkfifo(pipe)
    file.write_text("kept")
    writable("", "-", str(pipe), str(file), str(tmp_path / "new"))
    assert stat.S_ISFIFO(pipe.stat().st_mode) and file.read_text() == "kept"
    assert {path.name for path in tmp_path.iterdir()} == {"pipe", "file"}


@pytest.mark.parametrize(
    ("name", "why"),
    [("", "Is a directory"), ("none/x", "No such file or directory"), ("file/x", "Not a directory")],
)
def test_what_cannot_be_written_is_told_in_one_sentence(name: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as raised:
        writable(str(tmp_path / name))
    assert str(raised.value) == f"{tmp_path / name} cannot be written ({why}): choose another file."
