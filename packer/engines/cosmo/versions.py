"""Which versions of Cosmopolitan's tools are good enough, and how each of them says its own.

Facts: cosmopolitan's `tool/cosmocc/bin/cosmocc` and `cosmocross`, `tool/build/apelink.c` and
`assimilate.c`, and zipalign's `zipalign.c`.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packer.engines import environment
from packer.engines.cosmo.start import start_command
from runtime.errors import InputError

_PATIENCE = 60  # seconds


@dataclass(frozen=True)
class VersionRule:
    """How a tool is asked, and what it must answer."""

    words: tuple[str, ...]
    answer: re.Pattern[str]
    """Its group is the version, or empty for a tool that has none."""
    oldest: tuple[int, ...] = ()
    status: int = 0
    """With which it ends."""


COMPILER = VersionRule(("--version",), re.compile(r"\(GCC\) (\d[\d.]*)"), (14, 1))
"""cosmocc's releases have had this GCC since 2024; those before have 11.2."""
ARCHIVER = VersionRule(("--version",), re.compile(r"^GNU ar\b.* (\d[\d.]*)", re.MULTILINE))
APELINK = VersionRule(("-v",), re.compile(r"\bapelink v(\d[\d.]*)"))
ASSIMILATE = VersionRule(("-v",), re.compile(r"\bassimilate v(\d[\d.]*)"), (1, 6))
"""The first that takes `-e`, `-x` and `-a` as its manual says them now."""
ZIPALIGN = VersionRule((), re.compile(r"missing output argument()"), status=1)
"""It has no version and no help of its own; Android's tool of this name answers otherwise."""


def version(tool: Path, rule: VersionRule, tip: str) -> str:
    """What the tool says its version is.

    Args:
        tip: where a good one is found.

    Raises:
        InputError: it does not run, is another program, or too old.
    """
    status, text = _answer(tool, rule.words, tip)
    asked = f"`{' '.join((tool.name, *rule.words))}`"
    if status != rule.status:
        raise InputError(f"{tool}: {asked} ended with status {status}: {_last(text)}", tip)
    found = rule.answer.search(text)
    if not found:
        raise InputError(f"{tool} is another program: {asked} says: {_last(text)}", tip)
    if rule.oldest and tuple(map(int, found[1].strip(".").split("."))) < rule.oldest:
        oldest = ".".join(map(str, rule.oldest))
        raise InputError(f"{tool} is too old: it has {found[1]}, and {oldest} is needed", tip)
    return found[1]


def _answer(tool: Path, words: Sequence[str], tip: str) -> tuple[int, str]:
    # apelink writes its version to descriptor 0, so all three lead to one file.
    with tempfile.TemporaryFile() as said:
        try:
            done = subprocess.run(
                [*start_command(tool), *words],
                env=environment.clean(),
                stdin=said,
                stdout=said,
                stderr=said,
                timeout=_PATIENCE,
                check=False,
            )
        except OSError as problem:
            raise InputError(f"{tool} does not run: {problem.strerror}", tip) from None
        except subprocess.TimeoutExpired:
            raise InputError(f"{tool} did not answer within {_PATIENCE} seconds", tip) from None
        said.seek(0)
        return done.returncode, said.read().decode("utf-8", "replace")


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-3:])[:240] or "nothing"
