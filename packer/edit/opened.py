"""Opens a bundle to be changed: alone, and after an interrupted change was taken back."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packer.console import note
from packer.edit.in_use import lock, refuse_used
from packer.edit.new_file import remove_new_file
from packer.edit.undo import remove_leftovers, take_back
from packer.output import terminable
from runtime.bundle import Bundle
from runtime.errors import InputError
from runtime.zip_directory import read_directory


@dataclass(frozen=True)
class Opened:
    """A bundle that nobody else changes now."""

    path: Path
    """Of the file itself, where the user named a link."""
    file: io.FileIO
    """Unbuffered, for reading and writing; the only descriptor of it."""
    bundle: Bundle
    recovered: bool
    """Whether an interrupted change was taken back."""


@contextmanager
def opened(path: Path, *, alone: bool) -> Iterator[Opened]:
    """Open the bundle at `path` for a change.

    Args:
        alone: whether nobody else may have it open, as it is to be changed in place.

    Raises:
        InputError: it does not exist, is no bundle, or is in use; or an interrupted change cannot
            be taken back.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist", "Check the path of the bundle.")
    if not path.is_file():
        raise InputError(f"{path} is not a regular file", "Name a bundle.")
    real = path.resolve()
    with terminable(), io.FileIO(real, "r+b") as file:
        lock(file, path)
        if not os.path.samestat(os.fstat(file.fileno()), real.stat()):
            raise InputError(f"another llamapack has just changed {path}", "Run the command again.")
        if alone:
            refuse_used(file, path)
        remove_leftovers(real)
        remove_new_file(real)
        recovered = take_back(real, file)
        if recovered:
            note(f"{path}: an interrupted change was taken back")
        bundle = Bundle(path, file, read_directory(file, str(path)))
        yield Opened(real, file, bundle, recovered)
