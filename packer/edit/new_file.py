"""A new file that takes the place of an old one, with its owner and permissions."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from packer.io.output import OutputFile, sync_folder, terminable
from packer.io.temporary_files import remove_leftover


@contextmanager
def replacement(path: Path, old: io.FileIO) -> Iterator[OutputFile]:
    """Write a file that takes the place of the one at `path`, open as `old`, once the body is done.

    Until then it is `.NAME.llamapack-new` beside it. On any exception it is removed; after a crash
    the next change of the file removes it.
    """
    temporary = _temporary(path)
    with terminable():
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            with os.fdopen(os.open(temporary, flags, 0o600), "r+b", buffering=0) as file:
                assert isinstance(file, io.FileIO)
                yield OutputFile(file)
                _own_as(file.fileno(), path.stat())
                os.fsync(file.fileno())
            if sys.platform == "win32":
                old.close()  # or it cannot be replaced; elsewhere its lock is kept until then
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def remove_new_file(path: Path) -> None:
    """Remove what a crash has left of a new file for `path`.

    Raises:
        InputError: it is a folder.
    """
    remove_leftover(_temporary(path))


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.llamapack-new")


def _own_as(descriptor: int, facts: os.stat_result) -> None:
    if sys.platform == "win32":
        return
    with suppress(PermissionError):  # only root can give files away
        os.fchown(descriptor, facts.st_uid, facts.st_gid)
    os.fchmod(descriptor, facts.st_mode & 0o777)
