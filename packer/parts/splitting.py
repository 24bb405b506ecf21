"""Writes a file in parts, each hashed while it is written, and a list of their hashes."""

from __future__ import annotations

import hashlib
import io
import os
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from packer.io.console import Advance, progress
from packer.io.copy import BLOCK, copy
from packer.io.digest import Data
from packer.io.output import (
    OutputFile,
    check_limit,
    check_path,
    check_space,
    create,
    publish,
    terminable,
)
from packer.io.sources import FileSource
from packer.io.temporary_files import temporary_files
from packer.parts.sha256_lists import path_beside, published
from runtime.errors import InputError
from runtime.formats.parts import of_whole, siblings
from runtime.formats.sha256_file import hash_rest
from runtime.formats.undo_file import refuse_unfinished

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
        self.paths: list[Path] = []  # of published files: parts and list of hashes, or the one file
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
        """Flush everything to the disk."""
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


LIMIT = 1000  # parts


@contextmanager
def part_files(
    whole: Path,
    size: int,
    *,
    force: bool = False,
    inputs: Iterable[Path] = (),
    needed: int = 0,
    surely: int = 0,
) -> Iterator[PartsOutput]:
    """Write the file `whole` as parts of `size` bytes, which get their names once the body is done.
    If it fits into one part, it is published as `whole`. Otherwise this behaves as `output_file`.

    `needed` and `surely`: bytes that all parts take at most, and at least. Raises InputError if a
    file must not be written, the disk has too little space, or there would be too many parts.
    """
    if needed > size * LIMIT:
        raise InputError(
            f"{whole} would become {-(-needed // size):,} parts of {size:,} bytes",
            f"Choose parts of {-(-needed // LIMIT):,} bytes or more.",
        )
    first = whole.with_name(of_whole(whole).other(0))
    old = siblings(whole.parent, of_whole(whole))
    certain = [whole] if surely <= size else []
    for path in {*certain, first, path_beside(whole), *old.values()}:
        check_path(path, force, inputs)
    check_space(first, needed)
    with terminable(), temporary_files(whole) as new_name:

        def new() -> tuple[Path, io.FileIO]:
            name = new_name()
            file = create(name)
            if not output.parts:
                check_limit(file, first, min(needed, size))
            return name, file

        with PartsOutput(new, size) as output:
            yield output
            output.finish()
            if len(output.parts) == 1:
                publish(output.parts[0].path, whole, force)
                output.paths.append(whole)
            else:
                output.paths += _publish_parts(whole, output.parts, force)


def _publish_parts(whole: Path, parts: list[Part], force: bool) -> list[Path]:
    """Parts from the last to the first: where the first is, the others are."""
    name = of_whole(whole)
    paths = [whole.with_name(name.other(number)) for number in range(len(parts))]
    with progress("hashing", sum(part.stale for part in parts)) as advance:
        sums = {path.name: part.sha256(advance) for path, part in zip(paths, parts, strict=True)}
    done: list[Path] = []
    try:
        done.append(published(path_beside(whole), sums, force=force))
        for part, path in reversed(list(zip(parts, paths, strict=True))):
            part.path.chmod(part.path.stat().st_mode & 0o666)  # a part is not a program
            publish(part.path, path, force)
            done.append(path)
    except BaseException:
        for path in [] if force else done:
            with suppress(OSError):
                path.unlink()
        raise
    for number, path in siblings(whole.parent, name).items():
        if number >= len(parts):
            path.unlink()  # of an earlier, longer file, which `force` replaces
    return [*paths, path_beside(whole)]


def split(path: Path, output: Path, size: int, *, force: bool) -> list[Path]:
    """Write the parts of the file at `path`, which stays; the paths of the parts and of their list
    of hashes, named after `output`. Raises InputError if it cannot be read, is half changed, or the
    parts cannot be written."""
    source = FileSource.of(path)
    refuse_unfinished(path)  # the parts of a half-changed file would have hashes that agree
    output_in_parts = part_files(
        output, size, force=force, inputs=[path], needed=source.size, surely=source.size
    )
    with (
        output_in_parts as written,
        source.open() as file,
        progress("splitting", source.size) as advance,
    ):
        pieces = None if source.sparse else written.take(file, source.size)
        if pieces is None:
            copy(file, source.size, str(path), written, advance=advance, sparse=source.sparse)
        for piece in pieces or ():
            advance(len(piece))
    return written.paths
