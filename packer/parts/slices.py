"""A range of a file as a file: so a part can be sent that was never written."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from packer.io.progress import Advance
from runtime.errors import InputError
from runtime.formats.file_stream import FileRange, FileStream


class FileSlice(FileStream, io.BufferedIOBase):
    """Reads `size` bytes of the file at `path` from `start` on."""

    def __init__(
        self, path: Path, start: int, size: int, advance: Advance = lambda _: None
    ) -> None:
        """Open nothing yet; `advance` is told about bytes that are read."""
        super().__init__([FileRange(path, start, size)])
        self._source = path
        self._advance = advance

    def read(self, size: int | None = -1) -> bytes:
        left = max(self._size - self._position, 0)
        space = bytearray(left if size is None or size < 0 else min(size, left))
        return bytes(memoryview(space)[: self.readinto(space)])

    def readinto(self, space: Any) -> int:
        """Fill `space` as far as there are bytes.

        Raises:
            InputError: the file became shorter.
        """
        room = memoryview(space)[: max(self._size - self._position, 0)]
        done = 0
        while done < len(room):
            count = self._read_some(room[done:])
            if not count:
                raise InputError(f"{self._source} became shorter while it was read", "Try again.")
            done += count
            self._advance(count)
        if self._position >= self._size:
            self._close_file()  # there may be a thousand of these
        return done
