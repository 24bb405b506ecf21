"""Two builders of one thing take turns instead of colliding."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from packer.io.console import note
from runtime.locks import Busy
from runtime.locks import locked as _locked

__all__ = ["Busy", "locked"]


def locked(path: Path, *, wait: bool = True, make: bool = True) -> AbstractContextManager[None]:
    """Hold the lock file `path` while the body runs, and say so when that takes waiting.

    Args:
        make: whether to make it if there is none.

    Raises:
        FileNotFoundError: there is none, and `make` is false.
        Busy: another process holds it and `wait` is false.
    """

    def say() -> None:
        note(f"another llamapack is working on {path.stem}; waiting for it")

    return _locked(path, wait=wait, make=make, waiting=say)
