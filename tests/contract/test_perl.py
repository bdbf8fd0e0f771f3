"""Programs in Perl run in any Pod of ours: they need no more than Debian's essential package perl-base."""

from __future__ import annotations

import re

from scripts.paths import ROOT

BASE = {"Errno", "Fcntl", "IO::Handle", "IO::Socket", "POSIX", "Socket"}
"""Modules of perl-base that programs may use; Time::HiRes, for one, is not among them."""


def test_programs_use_modules_of_perl_base_only() -> None:
    files = [path for folder in ("scripts", "labs") for path in sorted((ROOT / folder).rglob("*.py"))]
    used = {
        (path.name, module)
        for path in files
        for module in re.findall(r"(?:^|[;\"'\s])use ([A-Z]\w+(?:::\w+)*)[^;\n]{0,30};", path.read_text())
    }
    assert {module for _, module in used} - BASE == set()
    assert ("dnsask.py", "Socket") in used
