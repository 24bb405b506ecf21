"""Opens a bundle to be changed: alone, and after restored the bundle from before an interrupted "
"change."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packer.edit.in_use import COPY, lock, refuse_used
from packer.edit.new_file import remove_new_file
from packer.edit.undo import remove_leftovers, take_back
from packer.io.console import note
from packer.io.output import terminable
from packer.io.ownership import check_exclusive
from runtime.errors import InputError
from runtime.formats.bundle import Bundle
from runtime.formats.parts import refuse_part
from runtime.formats.undo_file import refuse_unfinished, undo_path
from runtime.formats.zip_directory import read_directory


@dataclass(frozen=True)
class Held:
    """A file that nobody else changes now."""

    path: Path
    """Absolute; that of a link, where the user named one."""
    file: io.FileIO
    """Unbuffered, the only descriptor of it; for writing too if it is to be changed in place."""
    recovered: bool
    """Whether restored as it was before an interrupted change."""


@dataclass(frozen=True)
class Opened(Held):
    """A bundle that nobody else changes now."""

    bundle: Bundle


@contextmanager
def held(path: Path, *, alone: bool, otherwise: str = COPY, keep: bool = False) -> Iterator[Held]:
    """Open the file at `path` for a change, and take an interrupted one back.

    Args:
        alone: whether it is to be changed in place, so that nobody else may have it open, and it
            must have no other name. If not, a link is what is replaced, and its file stays.
        otherwise: what to do instead.
        keep: as for `take_back`.

    Raises:
        InputError: it does not exist, or is in use, or somebody else's too; or an interrupted
            change cannot be taken back.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist", "Check the path.")
    if not path.is_file():
        raise InputError(f"{path} is not a regular file", "Name a file.")
    if alone:
        check_exclusive(path, f"{otherwise[0].upper()}{otherwise[1:]}.")
    elif path.is_symlink():
        refuse_unfinished(path)
    real = path.parent.resolve() / path.name
    undo = undo_path(real)
    unfinished = os.path.lexists(undo)
    if unfinished and not alone:
        # Taking back is a change in place.
        check_exclusive(
            path, f"Copy it to another folder, {undo} too, and run `llamapack edit --copy` there."
        )
    alone = alone or unfinished
    with terminable(), io.FileIO(real, "r+b" if alone else "rb") as file:
        lock(file, path)
        if not os.path.samestat(os.fstat(file.fileno()), real.stat()):
            raise InputError(
                f"another llamapack changed {path} at the same time", "Run the command again."
            )
        if alone:
            refuse_used(file, path, otherwise)
        remove_leftovers(real)
        remove_new_file(real)
        recovered = take_back(real, file, keep=keep)
        if recovered:
            note(f"{path}: restored as it was before an interrupted change")
        yield Held(real, file, recovered)


@contextmanager
def opened(path: Path, *, alone: bool, otherwise: str = COPY) -> Iterator[Opened]:
    """Open the bundle at `path` for a change.

    Args:
        alone: whether nobody else may have it open, as it is to be changed in place.
        otherwise: what to do instead if somebody has.

    Raises:
        InputError: as `held`, or it is not a bundle, or one of several parts.
    """
    with held(path, alone=alone, otherwise=otherwise) as one:
        try:
            directory = read_directory(one.file, str(path))
        except InputError:
            refuse_part(path)
            raise
        bundle = Bundle(path, one.file, directory)
        yield Opened(one.path, one.file, one.recovered, bundle)
