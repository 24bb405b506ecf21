"""What can be known of an output before it is written."""

from __future__ import annotations

import errno
import io
import shutil
from collections.abc import Iterable
from pathlib import Path

from runtime.errors import InputError

_FAT32_LIMIT = (1 << 32) - 1  # bytes


def check_path(path: Path, force: bool, inputs: Iterable[Path]) -> None:
    """Find out whether a file may be written.

    Raises:
        InputError: it must not be, as `output_file` says.
    """
    if path.is_dir():
        raise InputError(f"{path} is a directory", "Name a file with `-o NAME.llamafile`.")
    if not path.parent.is_dir():
        raise InputError(
            f"{path.parent} is not a directory", f"Make it with `mkdir -p {path.parent}`."
        )
    if not path.exists():
        if path.is_symlink() and not force:  # to nowhere
            raise exists_already(path)
        return
    for given in inputs:
        if given.exists() and path.samefile(given):
            raise InputError(f"{path} is the output and an input", "Choose another name with `-o`.")
    if not path.is_file():
        raise InputError(f"{path} is not a regular file", "Choose another name with `-o`.")
    if not force:
        raise exists_already(path)


def exists_already(path: Path) -> InputError:
    """The error for an output that must not be replaced."""
    return InputError(f"{path} exists already", "Add `--force` to replace it, or choose `-o`.")


def check_space(path: Path, needed: int) -> None:
    """Find out whether the disk of `path` has `needed` bytes.

    Raises:
        InputError: it has not.
    """
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise InputError(
            f"no space for {path}: it needs {needed:,} bytes, its disk has {free:,}",
            "Free some space, or write to another disk with `-o`.",
        )


def check_limit(file: io.FileIO, path: Path, needed: int) -> None:
    """Find out about limits on file size (FAT32, `ulimit -f`) before gigabytes were written.

    Raises:
        InputError: `path` may not have `needed` bytes.
    """
    if needed > _FAT32_LIMIT:
        try:
            file.truncate(needed)
        except OSError as problem:
            if problem.errno != errno.EFBIG:
                return  # Some file systems cannot do this; then writing will show.
            raise InputError(
                f"{path} would have {needed:,} bytes, more than its file system or `ulimit -f` "
                "allows",
                "Write to another disk with `-o` (FAT32 ends at 4 GiB), or raise `ulimit -f`.",
            ) from None
        file.truncate(0)
