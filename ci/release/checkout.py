"""The checkout that a release is made from: its commit, and a clean copy of its files."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from packer.io.epoch import VARIABLE

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Commit:
    id: str
    """40 hex digits."""
    time: int
    """Seconds since 1970."""
    modified: bool
    """Whether tracked files differ from the commit: such a release is for trying out only."""


def commit() -> Commit:
    """What is checked out here."""
    id_, time = _git("log", "-1", "--format=%H %ct").split()
    return Commit(id_, int(time), bool(_git("status", "--porcelain", "--untracked-files=no")))


def stop_the_clock() -> None:
    """Give everything that is made from here on the commit's time, if the user chose none."""
    os.environ.setdefault(VARIABLE, str(commit().time))


def copy(destination: Path) -> None:
    """Copy all tracked files as they are now to the new folder `destination`."""
    for name in _git("ls-files", "-z").split("\0"):
        path = ROOT / name
        if name and path.is_file():
            target = destination / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)


def _git(*words: str) -> str:
    done = subprocess.run(
        ["git", "-C", ROOT, *words], stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.strip()
