"""A stream over several files. Only one is open at a time: there may be a thousand."""

from __future__ import annotations

import io
import os
from pathlib import Path


class FileStream(io.IOBase):
    """The position in such a stream, and the file that is open; subclasses implement `readinto`.

    No `fileno()`: callers would `fstat` it and get the size of the whole file.
    """

    def __init__(self, size: int) -> None:
        """Open nothing yet; the stream has `size` bytes."""
        super().__init__()
        self._size = size
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

    def _advance_from(self, path: Path, offset: int, room: memoryview) -> int:
        """Fill `room` from `offset` of a file on, and move by as many bytes as there were."""
        if self._file is None or path != self._path:
            self._close_file()
            self._path, self._file = path, io.FileIO(path)
        self._file.seek(offset)
        count = self._file.readinto(room)
        self._position += count
        return count

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
