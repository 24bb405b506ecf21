"""The exception for mistakes of the user, and for faults that the user can fix."""

from __future__ import annotations

import errno
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class InputError(ValueError):
    """Something the user gave cannot be used.

    The command line shows it as one `ERROR` line and one `TIP` line, and exits with status 1.
    """

    def __init__(self, message: str, tip: str = "") -> None:
        super().__init__(message)
        self.message = message
        """The fault, with the name of the file or the argument."""
        self.tip = tip
        """The way out, as a sentence or a command in backticks; empty if there is none."""


def shell_word(path: object) -> str:
    """A path as one word of the shell command that a tip names, also if it begins with a dash."""
    text = shlex.quote(str(path))
    return f"./{text}" if text.startswith("-") else text


@contextmanager
def full_disk_named(path: Path) -> Iterator[None]:
    """Let errors of a full disk name the file that the body writes: those of `write`, `fsync` and
    their kin know no name."""
    try:
        yield
    except OSError as problem:
        if problem.filename is None and problem.errno in _FULL:
            problem.filename = str(path)
        raise


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
