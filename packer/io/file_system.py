"""What file systems do beyond reading and writing: shared blocks, moved ranges, safe renames."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path
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


_FICLONERANGE = 0x4020940D  # linux/fs.h: _IOW(0x94, 13, struct file_clone_range)
_NOT_IN_KERNEL = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}


def shared(source: int, start: int, target: int, offset: int, count: int) -> bool:
    """Let two open files have blocks in common, where the file system can (btrfs, xfs, bcachefs).

    Args:
        start, offset: multiples of the file system's block, in source and target.
        count: bytes, likewise unless the source ends there.

    Returns:
        False: it is not possible, and nothing was changed.
    """
    if sys.platform != "linux":
        return False
    import fcntl

    request = struct.pack("=qQQQ", source, start, count, offset)
    try:
        fcntl.ioctl(target, _FICLONERANGE, request)
    except OSError:
        return False
    return True


def copied(source: int, start: int, target: int, offset: int, count: int) -> int:
    """Let the kernel copy between two open files, as far as it does (Linux).

    Raises OSError if reading or writing failed.

    Returns:
        Bytes; less than `count` where the source ends or the kernel does not copy at all.
    """
    done = 0
    while sys.platform == "linux" and done < count:
        try:
            length = os.copy_file_range(source, target, count - done, start + done, offset + done)
        except OSError as problem:
            if problem.errno in _NOT_IN_KERNEL:
                break
            raise
        if not length:
            break
        done += length
    return done


_LINUX = sys.platform == "linux"
_NOREPLACE = 1  # linux/fs.h: RENAME_NOREPLACE
_AT_FDCWD = -100  # linux/fcntl.h: relative to the current directory


def rename_new(old: Path, new: Path) -> None:
    """Give a file a name that no other has, in one step.

    Where renameat2(2) is missing, the file has both names for a moment; without hard links it is
    looked whether there is such a file directly before.

    Raises:
        FileExistsError: there is one.
        OSError: it cannot be renamed.
    """
    number = errno.ENOSYS
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if _LINUX else None
    if function:
        names = os.fsencode(old), os.fsencode(new)
        if function(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _NOREPLACE) == 0:
            return
        number = ctypes.get_errno()
    if number not in (errno.ENOSYS, errno.EINVAL):  # EINVAL: this file system cannot
        raise OSError(number, os.strerror(number), str(new))
    try:
        new.hardlink_to(old)
    except FileExistsError:
        raise
    except OSError:
        if os.path.lexists(new):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(new)) from None
        old.rename(new)
    else:
        old.unlink()
