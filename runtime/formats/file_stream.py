"""Streams of bytes: out of files, made on the way, or walked through a small window."""

from __future__ import annotations

import io
import os
import struct
from bisect import bisect_right
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO

_LENGTH = struct.Struct("<Q")
_WINDOW = 1 << 20  # bytes read at once


@dataclass(frozen=True)
class FileRange:
    """Bytes of a file."""

    path: Path
    offset: int
    size: int


class FileStream(io.IOBase):
    """Bytes and ranges of files, one after another; one file is open at a time.

    Subclasses implement `readinto`. No `fileno()`: callers would `fstat` it and get the size of a
    whole file.
    """

    def __init__(self, pieces: Sequence[bytes | FileRange]) -> None:
        super().__init__()
        sizes = (len(one) if isinstance(one, bytes) else one.size for one in pieces)
        self._pieces = pieces
        self._ends = list(accumulate(sizes))
        self._size = self._ends[-1] if self._ends else 0
        self._position = 0
        self._path: Path | None = None
        self._file: io.FileIO | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(base + offset, 0)
        return self._position

    def close(self) -> None:
        self._close_file()
        super().close()

    def _read_some(self, space: Any) -> int:
        """Fill the start of `space` from one piece; 0 at the end or if a file is too short."""
        if self._position >= self._size:
            return 0
        index = bisect_right(self._ends, self._position)
        piece, left = self._pieces[index], self._ends[index] - self._position
        room = memoryview(space)[:left]
        if isinstance(piece, bytes):
            start = len(piece) - left
            room[:] = piece[start : start + len(room)]
            count = len(room)
        else:
            if self._file is None or piece.path != self._path:
                self._close_file()
                self._path, self._file = piece.path, io.FileIO(piece.path)
            self._file.seek(piece.offset + piece.size - left)
            count = self._file.readinto(room)
        self._position += count
        return count

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class JoinedStream(FileStream, io.RawIOBase):
    """The pieces as an unbuffered stream."""

    def readinto(self, space: Any) -> int:
        return self._read_some(space)


class PieceStream(io.RawIOBase):
    """The output of a generator, such as the contents of a compressed member; it cannot seek."""

    def __init__(self, pieces: Generator[bytes, None, None]) -> None:
        super().__init__()
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, space: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        count = min(len(space), len(self._rest))
        space[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        self._pieces.close()
        super().close()


class Truncated(Exception):
    """The data ends too early."""


class Window:
    """Reads `size` bytes of `file` from offset `base`, forwards only, in bounded memory."""

    def __init__(self, file: BinaryIO, base: int, size: int) -> None:
        self.size = size
        self._file = file
        self._base = base
        self._start = 0  # of the buffer, counted from `base`
        self._buffer = b""
        self._offset = 0  # of the next byte, in the buffer

    @property
    def position(self) -> int:
        """Offset of the next byte from `base`."""
        return self._start + self._offset

    @property
    def left(self) -> int:
        return self.size - self.position

    def peek(self, count: int) -> bytes:
        """The next bytes, at most `count`, without moving on."""
        count = min(count, self.left)
        if len(self._buffer) - self._offset < count:
            self._fill(count)
        return self._buffer[self._offset : self._offset + count]

    def take(self, count: int) -> bytes:
        """The next `count` bytes; raises `Truncated` if there are fewer."""
        data = self.peek(count)
        if len(data) < count:
            raise Truncated
        self._offset += count
        return data

    def skip(self, count: int) -> None:
        """Move on by `count` bytes; raises `Truncated` if there are fewer."""
        if count > self.left:
            raise Truncated
        self._offset += count

    def skip_strings(self, count: int) -> None:
        """Move past `count` strings, each a u64 length and its bytes, or raise `Truncated`."""
        if count * _LENGTH.size > self.left:
            raise Truncated
        unpack = _LENGTH.unpack_from
        while count:
            if len(self.peek(_LENGTH.size)) < _LENGTH.size:
                raise Truncated
            buffer, offset = self._buffer, self._offset
            done = 0
            # A vocabulary has some 400,000 strings: this loop is what a header's reading costs, and
            # the exception at the end of the buffer is cheaper than a comparison per string.
            try:
                for done in range(count):  # noqa: B007 - counts what was read before the exception
                    offset += _LENGTH.size + unpack(buffer, offset)[0]
                done = count
            except (struct.error, OverflowError):
                pass
            count -= done
            self._offset = offset
            if self.left < 0:
                raise Truncated

    def _fill(self, count: int) -> None:
        """Read on so that the buffer begins at the next byte and holds `count` bytes or more."""
        self._start, self._offset = self.position, 0
        self._file.seek(self._base + self._start)
        wanted = min(max(count, _WINDOW), self.size - self._start)
        self._buffer = self._file.read(wanted)
