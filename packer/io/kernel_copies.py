"""Lets the kernel bring ranges of one file into another: by sharing their blocks, or by copying."""

from __future__ import annotations

import errno
import os
import struct
import sys

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

    Returns:
        Bytes; less than `count` where the source ends or the kernel does not copy at all.

    Raises:
        OSError: reading or writing failed.
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
