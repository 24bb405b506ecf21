"""Links a Windows program as a bundle needs it: with sections 64 KiB apart.

Windows checks the signature of a program only if its NT headers begin in the first half of what
SectionAlignment says; those of a bundle are behind its script. `zig cc` has no option for it, but
it tells how it called its linker, which has one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

SECTION_ALIGNMENT = 65536
"""Bytes between the starts of sections in memory."""

_WORD = re.compile(r" (?=[-/]|[A-Za-z]:[\\/])")
"""Between the words of zig's report, which quotes nothing: paths in it may hold blanks."""


def link(zig: Path, arguments: Sequence[str | Path], out: Path) -> None:
    """Do what `zig cc ARGUMENTS -o OUT` does, with sections 64 KiB apart.

    Args:
        zig: the `zig` executable.
        arguments: those of `zig cc`, without `-o`.
        out: the program to write.

    Raises:
        subprocess.CalledProcessError: if zig fails; its messages went to stderr.
        ValueError: if zig does not report how it links.
    """
    # A cache of its own: where zig finds the program in a cache it does not link.
    with TemporaryDirectory() as scratch:
        env = {**os.environ, "ZIG_VERBOSE_LINK": "1", "ZIG_LOCAL_CACHE_DIR": scratch}
        command = [str(zig), "cc", *map(str, arguments), "-o", str(out)]
        report = _run(command, env)
        links = [line for line in report.splitlines() if line.startswith("lld-link ")]
        if len(links) != 1:
            raise ValueError(f"zig reported {len(links)} calls of its linker, not one")
        _, *words = _WORD.split(links[0])
        # Without a time of its own the linker writes the clock's into the program.
        mine = [f"-align:{SECTION_ALIGNMENT}", "-timestamp:0"]
        _run([str(zig), "lld-link", *words, *mine], env)


def _run(command: Sequence[str], env: Mapping[str, str]) -> str:
    """Run, and show its output only if it failed: lld warns of any unusual alignment."""
    done = subprocess.run(command, env=env, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise subprocess.CalledProcessError(done.returncode, command)
    return done.stderr
