"""Locks between processes."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt

    def _try(file: IO[bytes]) -> bool:
        try:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as problem:
            # A file system without locks: results are checked before they get their names.
            if problem.errno not in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP):
                raise
        return True


class Busy(Exception):
    """Another process holds the lock."""


@contextmanager
def locked(
    path: Path,
    *,
    wait: bool = True,
    make: bool = True,
    waiting: Callable[[], object] = lambda: None,
) -> Iterator[None]:
    """Hold the lock file `path` while the body runs; the system frees it even after a crash.

    Args:
        wait: if false, raise `Busy` when another process holds it.
        make: if false, raise `FileNotFoundError` when it does not exist.
        waiting: called once before waiting.
    """
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    if make:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags |= os.O_CREAT
    with os.fdopen(os.open(path, flags, 0o666), "rb") as file:
        if not _try(file):
            if not wait:
                raise Busy(path)
            waiting()
            while not _try(file):
                time.sleep(0.2)
        yield
