"""What file systems do beyond reading and writing: shared blocks, moved ranges, direct access.

fallocate(2) of Linux inserts and removes ranges on ext4 and xfs without copying the bytes after
them; `OSError` with an `errno` in `UNSUPPORTED` says that it is not possible here. Their offsets
and lengths are multiples of the file system's block size.

Direct access (O_DIRECT) goes past the page cache. Bytes that are read or written once need no place
in memory. Finding that place, which on a virtual machine the host must often provide first, and
copying there and back takes more processor time than all hashes: two GiB are read, from a disk that
is faster, in 2.7 s through the cache and in 1.7 s past it, with a tenth of the work.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import io
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

UNSUPPORTED = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.EPERM)

# linux/falloc.h
_KEEP_SIZE, _PUNCH_HOLE, _COLLAPSE_RANGE, _INSERT_RANGE = 1, 2, 8, 32


def insert_range(descriptor: int, offset: int, length: int) -> None:
    """Move all bytes from `offset` on back by `length` bytes, leaving a hole."""
    _fallocate(descriptor, _INSERT_RANGE, offset, length)


def collapse_range(descriptor: int, offset: int, length: int) -> None:
    """Remove `length` bytes; the bytes after them move to `offset`, which is before the end."""
    _fallocate(descriptor, _COLLAPSE_RANGE, offset, length)


def punch_hole(descriptor: int, offset: int, length: int) -> None:
    """Turn `length` bytes into a hole; the size of the file stays."""
    _fallocate(descriptor, _PUNCH_HOLE | _KEEP_SIZE, offset, length)


def block_size(descriptor: int) -> int:
    """Bytes of one block of the file system."""
    return os.fstatvfs(descriptor).f_frsize if hasattr(os, "fstatvfs") else 1 << 16


def first_hole(descriptor: int, offset: int) -> int:
    """Bytes from the start of the file to the first hole from `offset` on; its end counts as one,
    and is given where holes are not known."""
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
    """Let two open files share blocks, where the file system can (btrfs, xfs, bcachefs); False: it
    cannot, and nothing was changed. Offsets are multiples of its block, and `count` is unless the
    source ends there."""
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
    """Let the kernel copy between two open files (Linux); how many bytes. That is less than `count`
    where the source ends, or the kernel cannot go on."""
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
    """Rename a file in one step; raises FileExistsError if the new name exists. Where renameat2(2)
    is missing, the file has both names for a moment; without hard links, the name is looked up
    before."""
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


_ALIGNMENT = 4096  # bytes; of place, length and memory. Disks want 512 or this
_WORTHWHILE = 1 << 20  # bytes
_UNASKED = 15  # of 16 reads
_IMPOSSIBLE = (errno.EINVAL, errno.EOPNOTSUPP)


class _Direct:
    """An open file once more, past the page cache where that is possible; a context manager."""

    def __init__(self, file: io.FileIO, mode: int) -> None:
        self._descriptor = _opened(file, mode)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class DirectReader(_Direct):
    """Reads an open regular file at any place, by several threads at once; a context manager.

    What the page cache has comes from there, the rest past it where that is possible.
    """

    def __init__(self, file: io.FileIO) -> None:
        super().__init__(file, os.O_RDONLY)
        self._buffered = file.fileno()
        self._unasked = 0  # reads that take it for granted that the cache has nothing

    def read(self, space: memoryview, offset: int) -> int:
        """Fill `space` with what begins at byte `offset`; how many bytes, 0 at the end. Raises
        OSError if the disk fails."""
        if self._descriptor is None:
            return os.preadv(self._buffered, [space], offset)
        if self._unasked:
            self._unasked -= 1
        elif (count := self._cached(space, offset)) == len(space):
            return count
        else:
            # Asking makes the kernel begin to fill the cache.
            self._unasked = _UNASKED
        count = len(space) // _ALIGNMENT * _ALIGNMENT
        if count and offset % _ALIGNMENT == 0 and _address(space) % _ALIGNMENT == 0:
            try:
                return os.preadv(self._descriptor, [space[:count]], offset)
            except OSError as problem:
                if problem.errno not in _IMPOSSIBLE:
                    raise
        return os.preadv(self._buffered, [space], offset)

    def _cached(self, space: memoryview, offset: int) -> int:
        """Bytes that need no disk."""
        try:
            return os.preadv(self._buffered, [space], offset, os.RWF_NOWAIT)
        except OSError:  # they are not there, or the file system cannot tell
            return 0


class DirectWriter(_Direct):
    """A second way to write to an open file, a context manager."""

    def __init__(self, file: io.FileIO) -> None:
        super().__init__(file, os.O_WRONLY)

    @property
    def works(self) -> bool:
        """Whether the file can be written so, as far as is known."""
        return self._descriptor is not None

    def write(self, data: memoryview, offset: int) -> int:
        """Write the beginning of `data`; the number of bytes, 0 if it is not possible. Raises
        OSError if the disk is full or fails."""
        count = len(data) // _ALIGNMENT * _ALIGNMENT
        if self._descriptor is None or count < _WORTHWHILE or data.readonly:
            return 0
        if offset % _ALIGNMENT or _address(data) % _ALIGNMENT:
            return 0
        try:
            return os.pwrite(self._descriptor, data[:count], offset)
        except OSError as problem:
            if problem.errno not in _IMPOSSIBLE:
                raise
            self.__exit__()
            return 0


def _opened(file: io.FileIO, mode: int) -> int | None:
    """The file once more, past the page cache; None where that is not possible."""
    if not hasattr(os, "O_DIRECT"):
        return None
    try:
        return os.open(f"/proc/self/fd/{file.fileno()}", mode | os.O_DIRECT)
    except OSError:
        return None  # not on this file system


def _address(data: memoryview) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(data))
