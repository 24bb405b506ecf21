"""A small moving window over a large file, for walking headers without reading all of them."""

from __future__ import annotations

import struct
from typing import BinaryIO

_LENGTH = struct.Struct("<Q")
_WINDOW = 1 << 20  # bytes read at once


class Truncated(Exception):
    """The data end before what was asked for."""


class Window:
    """Reads `size` bytes of `file` from offset `base`, forwards only, in bounded memory."""

    def __init__(self, file: BinaryIO, base: int, size: int) -> None:
        self.size = size
        """Bytes that there are to read."""
        self._file = file
        self._base = base
        self._start = 0  # of the buffer, counted from `base`
        self._buffer = b""
        self._offset = 0  # of the next byte, in the buffer

    @property
    def position(self) -> int:
        """Bytes from `base` to the next byte."""
        return self._start + self._offset

    @property
    def left(self) -> int:
        """Bytes from the next byte to the end."""
        return self.size - self.position

    def peek(self, count: int) -> bytes:
        """The next bytes, at most `count`, without moving on."""
        count = min(count, self.left)
        if len(self._buffer) - self._offset < count:
            self._fill(count)
        return self._buffer[self._offset : self._offset + count]

    def take(self, count: int) -> bytes:
        """The next `count` bytes.

        Raises:
            Truncated: there are fewer.
        """
        data = self.peek(count)
        if len(data) < count:
            raise Truncated
        self._offset += count
        return data

    def skip(self, count: int) -> None:
        """Move on by `count` bytes.

        Raises:
            Truncated: there are fewer.
        """
        if count > self.left:
            raise Truncated
        self._offset += count

    def skip_strings(self, count: int) -> None:
        """Move past `count` strings, each a u64 length and that many bytes.

        Raises:
            Truncated: the data end before the last of them.
        """
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
