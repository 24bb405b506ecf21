"""Commands that fetch from the stand-in for the Hub."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.hub_server import COMMIT
from helpers.stand_ins import write_gguf

Run = Callable[..., subprocess.CompletedProcess[str]]
"""`llamapack` with these words, and variables of its environment by name."""


def gguf(folder: Path, **facts: Any) -> bytes:
    """A small model, as `write_gguf` makes it."""
    path = write_gguf(folder / "made", **facts)
    data = path.read_bytes()
    path.unlink()
    return data


def snapshot(tmp_path: Path, commit: str = COMMIT) -> Path:
    """Where the cache has the files of `org/see-GGUF`."""
    return tmp_path / "hf" / "hub" / "models--org--see-GGUF" / "snapshots" / commit
