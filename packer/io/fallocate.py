"""Inserts, removes and empties ranges of a file without copying the bytes after them.

Linux's fallocate(2) does that on ext4 and xfs; `OSError` with `errno` in `UNSUPPORTED` says that it
is not possible here. Offsets and lengths of insertions and removals are multiples of the file
system's block size.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import sys
from collections.abc import Callable
from typing import Any

UNSUPPORTED = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.EPERM)

# linux/falloc.h
_KEEP_SIZE, _PUNCH_HOLE, _COLLAPSE_RANGE, _INSERT_RANGE = 1, 2, 8, 32


def insert_range(descriptor: int, offset: int, length: int) -> None:
    """Move everything from `offset` on back by `length` bytes, which then are a hole."""
    _fallocate(descriptor, _INSERT_RANGE, offset, length)


def collapse_range(descriptor: int, offset: int, length: int) -> None:
    """Remove `length` bytes; what follows them moves to `offset`, which is before the end."""
    _fallocate(descriptor, _COLLAPSE_RANGE, offset, length)


def punch_hole(descriptor: int, offset: int, length: int) -> None:
    """Turn `length` bytes into a hole; the size of the file stays."""
    _fallocate(descriptor, _PUNCH_HOLE | _KEEP_SIZE, offset, length)


def block_size(descriptor: int) -> int:
    """Bytes of one block of the file system."""
    return os.fstatvfs(descriptor).f_frsize if hasattr(os, "fstatvfs") else 1 << 16


def first_hole(descriptor: int, offset: int) -> int:
    """Bytes from the start of the file to the first hole from `offset` on; its end counts as one.

    Where holes cannot be told, the end is given.
    """
    if hasattr(os, "SEEK_HOLE"):
        try:
            return os.lseek(descriptor, offset, os.SEEK_HOLE)
        except OSError:
            pass
    return os.fstat(descriptor).st_size


def end_of_hole(descriptor: int, offset: int) -> int:
    """Bytes from the start of the file to the first data from `offset` on, or to its end."""
    if hasattr(os, "SEEK_DATA"):
        try:
            return os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError as problem:
            if problem.errno == errno.ENXIO:  # nothing but a hole up to the end
                return os.fstat(descriptor).st_size
    return offset


def _fallocate(descriptor: int, mode: int, offset: int, length: int) -> None:
    if sys.platform != "linux":
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
    if _function()(descriptor, mode, offset, length):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@functools.cache
def _function() -> Callable[..., Any]:
    library = ctypes.CDLL(None, use_errno=True)
    # With 64-bit offsets also where `long` has 32; musl's only one has them always.
    function: Any = getattr(library, "fallocate64", None) or library.fallocate
    function.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    function.restype = ctypes.c_int
    return function  # type: ignore[no-any-return]
