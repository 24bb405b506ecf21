"""Streams of bytes out of files, or made on the way."""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any


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
        """Open nothing yet."""
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
        """Fill the beginning of `space` out of one piece; 0 at the end, or of a file cut short."""
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
    """Such pieces as an unbuffered stream."""

    def readinto(self, space: Any) -> int:
        return self._read_some(space)


class PieceStream(io.RawIOBase):
    """What a generator makes, such as the contents of a compressed member; it cannot seek."""

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
