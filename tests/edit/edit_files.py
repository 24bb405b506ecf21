"""Files to change, and what is in them."""

from __future__ import annotations

import hashlib
import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

from helpers.stand_ins import CommandLine

NewEngine = Callable[[int], None]


def contents(path: Path) -> dict[str, str]:
    """SHA-256 of every member, as Python's own reader sees them."""
    with zipfile.ZipFile(path) as archive:
        assert len(set(archive.namelist())) == len(archive.namelist())
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


def same_file(path: Path, expected: Path) -> bool:
    return path.read_bytes() == expected.read_bytes()


def incompressible(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def grow(path: Path, size: int) -> Path:
    """Append random bytes to a GGUF, so that it is worth leaving alone."""
    with path.open("ab") as file:
        file.write(os.urandom(size))
    return path


def ran(llamapack: CommandLine, *words: str | Path, **environment: str) -> str:
    """What a command that has to succeed says."""
    done = llamapack.ran(*words, **environment)
    return done.stderr


def packed(llamapack: CommandLine, path: Path, *words: str | Path) -> Path:
    ran(llamapack, "pack", *words, "-o", path)
    return path
