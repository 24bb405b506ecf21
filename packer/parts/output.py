"""One output as several files, each of them hashed while it is written."""

from __future__ import annotations

import hashlib
import io
import os
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from packer.io.console import Advance
from packer.io.copy import BLOCK
from packer.io.digest import Data
from packer.io.output import OutputFile
from runtime.formats.sha256_file import hash_rest

if TYPE_CHECKING:
    from hashlib import _Hash

_SMALL = 1 << 18  # bytes; no local header of a ZIP is larger, and only they are patched
_BEHIND = 64  # pieces that may wait for being hashed; they are mapped files


class Part:
    """One of the files."""

    def __init__(self, path: Path, start: int) -> None:
        self.path = path
        self.start = start
        """Bytes of the whole in front of it."""
        self.length = 0
        """Bytes."""
        self.hash = hashlib.sha256()
        # Hashes of all bytes before each small write: where it is patched, hashing begins again.
        self.marks: list[tuple[int, _Hash]] = []
        self.patched: int | None = None

    @property
    def stale(self) -> int:
        """Bytes to be read again for its hash: all after the first patch. A local header states the
        CRC-32 of the data after it, so a part with the header of weights is read again from there
        on."""
        return 0 if self.patched is None else self.length - self._known(self.patched)[0]

    def sha256(self, advance: Advance) -> str:
        """64 lower-case hex digits; `advance` is told about bytes that are read again."""
        if self.patched is None:
            return self.hash.hexdigest()
        position, known = self._known(self.patched)
        with self.path.open("rb", buffering=0) as file:
            file.seek(position)
            return hash_rest(file, known.copy(), advance)

    def _known(self, offset: int) -> tuple[int, _Hash]:
        return self.marks[bisect_right(self.marks, offset, key=lambda mark: mark[0]) - 1]


class PartsOutput:
    """A growing file in parts, implements `packer.io.copy.Destination`; a context manager."""

    def __init__(self, create: Callable[[], tuple[Path, io.FileIO]], size: int) -> None:
        """Begin with nothing; `size`: bytes of every part but the last."""
        self.parts: list[Part] = []
        self._create = create
        self._size = size
        self._open: tuple[io.FileIO, OutputFile] | None = None
        self._hashing = ThreadPoolExecutor(1)
        self._hashed: deque[Future[None]] = deque()
        self._syncing = ThreadPoolExecutor(1)
        self._synced: list[Future[None]] = []

    def __enter__(self) -> PartsOutput:
        return self

    def __exit__(self, *_: object) -> None:
        for workers in (self._hashing, self._syncing):
            workers.shutdown(cancel_futures=True)
        if self._open:
            self._open[0].close()

    @property
    def position(self) -> int:
        return self.parts[-1].start + self.parts[-1].length if self.parts else 0

    def write(self, data: Data) -> None:
        view = memoryview(data)
        while view:
            file, room = self._room()
            piece = view[:room]
            hashed = self._hash(piece, mark=len(piece) <= _SMALL)
            file.write(piece)
            self.parts[-1].length += len(piece)
            hashed.result()  # the caller may use its memory again
            view = view[len(piece) :]

    def skip(self, count: int) -> None:
        zeros = bytes(min(BLOCK, count))
        while count:
            file, room = self._room()
            length = min(room, count, BLOCK)
            self._hash(memoryview(zeros)[:length])
            file.skip(length)
            self.parts[-1].length += length
            count -= length

    def patch(self, offset: int, data: Data) -> None:
        view = memoryview(data)
        starts = [part.start for part in self.parts]
        while view:
            index = bisect_right(starts, offset) - 1
            part = self.parts[index]
            inside = offset - part.start
            piece = view[: part.length - inside]
            if index == len(self.parts) - 1 and self._open:
                self._open[1].patch(inside, piece)
            else:
                # It may be closing just now, which does no harm.
                with part.path.open("r+b", buffering=0) as file:
                    assert isinstance(file, io.FileIO)
                    OutputFile(file).patch(inside, piece)
                    os.fsync(file.fileno())
            part.patched = inside if part.patched is None else min(part.patched, inside)
            offset += len(piece)
            view = view[len(piece) :]

    def take(self, source: BinaryIO, count: int, start: int | None = None) -> Iterator[Data] | None:
        if not count:
            return None
        try:
            start = source.tell() if start is None else start
        except io.UnsupportedOperation:
            return None
        file, room = self._room()
        pieces = file.take(source, min(room, count), start)
        return None if pieces is None else self._taken(source, count, start, pieces)

    def finish(self) -> None:
        """Bring all to the disk."""
        if self._open:
            self._close()
        while self._hashed:
            self._hashed.popleft().result()
        for synced in self._synced:
            synced.result()

    def _taken(
        self, source: BinaryIO, count: int, start: int, pieces: Iterator[Data]
    ) -> Iterator[Data]:
        done = 0
        while True:
            length = 0
            for piece in pieces:
                self._hash(piece)
                length += len(piece)
                yield piece
            self.parts[-1].length += length
            done += length
            if done == count:
                return
            file, room = self._room()
            more = file.take(source, min(room, count - done), start + done)
            # What could be done for the first part is refused for another one only by accident.
            pieces = more or _written(source, min(room, count - done), start + done, file)

    def _room(self) -> tuple[OutputFile, int]:
        """The file that comes next, and how many bytes it can take."""
        if self._open and self.parts[-1].length == self._size:
            self._close()
        if not self._open:
            start = self.position
            path, file = self._create()
            self.parts.append(Part(path, start))
            self._open = file, OutputFile(file)
        return self._open[1], self._size - self.parts[-1].length

    def _close(self) -> None:
        """Let the disk finish the open part while the next one is written."""
        assert self._open
        file, length = self._open[0], self.parts[-1].length

        def sync() -> None:
            with file:
                file.truncate(length)  # it may end in a hole
                os.fsync(file.fileno())

        self._synced.append(self._syncing.submit(sync))
        self._open = None

    def _hash(self, data: Data, *, mark: bool = False) -> Future[None]:
        part = self.parts[-1]
        offset = part.length

        def update() -> None:
            if mark or not part.marks:
                part.marks.append((offset, part.hash.copy()))
            part.hash.update(data)

        if len(self._hashed) == _BEHIND:
            self._hashed.popleft().result()
        hashed = self._hashing.submit(update)
        self._hashed.append(hashed)
        return hashed


def _written(source: BinaryIO, count: int, start: int, file: OutputFile) -> Iterator[Data]:
    """Append by reading and writing; what was written, piece by piece."""
    while count:
        piece = os.pread(source.fileno(), min(count, BLOCK), start)
        if not piece:
            raise OSError("an input became shorter while it was read")
        file.write(piece)
        yield piece
        start += len(piece)
        count -= len(piece)
