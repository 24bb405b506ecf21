"""Reads and writes files past the page cache (Linux, O_DIRECT).

What is read or written once needs no place in memory. Finding that place, which on a virtual
machine the host must often provide first, and copying there and back takes more processor time
than all hashes: two GiB are read, from a disk that can more, in 2.7 s through the cache and in
1.7 s past it, with a tenth of the work.
"""

from __future__ import annotations

import ctypes
import errno
import io
import os
from typing import Self

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
