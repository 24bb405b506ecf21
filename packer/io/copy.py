"""Copies streams and ranges of files: each byte is read, hashed and written once."""

from __future__ import annotations

import io
import mmap
import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from packer.io.console import Advance
from packer.io.digest import Data, Digest, Hasher
from packer.io.file_system import DirectReader, block_size, copied, end_of_hole, first_hole, shared
from packer.io.output import OutputFile
from runtime.errors import InputError

BLOCK = 4 << 20  # bytes; large enough that Python's part of the work vanishes
_BLOCKS = 8  # between reading and hashing
_AHEAD = 3  # read at once: one alone does not keep a disk busy
_MAPPED = 64  # pieces of a mapped file, which take no memory until they are hashed


class Destination(Protocol):
    """Where an archive goes: a growing file whose earlier bytes can be corrected."""

    @property
    def position(self) -> int:
        """Bytes so far."""

    def write(self, data: Data, /) -> None:
        """Append `data`."""

    def skip(self, count: int, /) -> None:
        """Append `count` zero bytes, as a hole where that is possible."""

    def patch(self, offset: int, data: Data, /) -> None:
        """Replace bytes that were written before."""

    def take(self, source: BinaryIO, count: int, /) -> Iterator[Data] | None:
        """Append the next `count` bytes of `source` without passing them through this process; the
        bytes, piece by piece while they are written, or None if that is not possible."""


class Nowhere:
    """A destination that only counts."""

    position = 0

    def write(self, data: Data) -> None:
        self.position += len(data)

    def skip(self, count: int) -> None:
        self.position += count

    def patch(self, offset: int, data: Data) -> None:
        pass

    def take(self, source: BinaryIO, count: int) -> Iterator[Data] | None:
        return None


def copy(
    source: BinaryIO,
    size: int,
    name: str,
    destination: Destination,
    *,
    advance: Advance,
    sparse: bool,
) -> Digest:
    """Append `size` bytes of `source`, unbuffered and at its start, to `destination`. `name` is
    for errors; with `sparse`, blocks of zeros become holes. Raises InputError if the source is
    shorter."""
    pieces = None if sparse else destination.take(source, size)
    if pieces is not None:
        with Hasher(_MAPPED) as hasher:
            for piece in pieces:
                hasher.update(piece)
                advance(len(piece))
            return hasher.digest()

    zeros = bytes(BLOCK) if sparse else b""

    def write(data: memoryview) -> None:
        if zeros and data == memoryview(zeros)[: len(data)]:
            destination.skip(len(data))
        else:
            destination.write(data)

    return read_ahead(source, size, name, write, advance)


def read_ahead(
    source: BinaryIO, size: int, name: str, use: Callable[[memoryview], None], advance: Advance
) -> Digest:
    """Give `size` bytes of `source` to `use` block by block, and return their digest. Meanwhile
    the next blocks are read, and the previous ones hashed. Raises InputError if the source is
    shorter."""
    count = _BLOCKS if size > BLOCK else 1
    # Whole pages of memory, as direct reading and writing want them.
    blocks = [memoryview(mmap.mmap(-1, min(BLOCK, size) or 1)) for _ in range(count)]
    hashed: list[Callable[[], None]] = [lambda: None] * count
    starts = range(0, size, BLOCK)
    ahead: deque[Future[memoryview]] = deque()
    with _reader(source, name) as read, Hasher() as hasher:
        for index in range(len(starts)):
            for following in range(index + len(ahead), min(index + _AHEAD + 1, len(starts))):
                hashed[following % count]()
                space = blocks[following % count][: size - starts[following]]
                ahead.append(read(space, starts[following]))
            data = ahead.popleft().result()
            hashed[index % count] = hasher.update(data)
            use(data)
            advance(len(data))
        return hasher.digest()


Read = Callable[[memoryview, int], Future[memoryview]]
"""Fills a block with what begins at an offset from the source's position, in another thread."""


@contextmanager
def _reader(source: BinaryIO, name: str) -> Iterator[Read]:
    """A way to read `source`: of a file several blocks at once, of a stream one after another."""
    if not isinstance(source, io.FileIO) or not hasattr(os, "preadv"):
        assert isinstance(source, io.RawIOBase | io.BufferedIOBase)
        stream = source
        with ThreadPoolExecutor(1) as threads:
            yield lambda space, _: threads.submit(_fill, stream.readinto, space, name)
        return
    begin = source.tell()
    with DirectReader(source) as direct, ThreadPoolExecutor(_AHEAD) as threads:

        def fill(space: memoryview, offset: int) -> memoryview:
            done = 0

            def more(room: memoryview) -> int:
                nonlocal done
                count = direct.read(room, begin + offset + done)
                done += count
                return count

            return _fill(more, space, name)

        yield lambda space, offset: threads.submit(fill, space, offset)


def _fill(read: Callable[[memoryview], int], space: memoryview, name: str) -> memoryview:
    done = 0
    while done < len(space):
        count = read(space[done:])
        if not count:
            raise InputError(
                f"{name} became shorter while llamapack read it", "Run the command again."
            )
        done += count
    return space


_PIECE = 8 << 20  # bytes


def append_range(
    source: io.FileIO,
    start: int,
    count: int,
    output: OutputFile,
    *,
    use: Callable[[bytes], object] | None = None,
    advance: Advance = lambda _: None,
) -> None:
    """Append `count` bytes of `source` from `start` on; holes stay holes. `use` gets all bytes in
    order. Raises InputError if `source` is shorter."""
    if os.fstat(source.fileno()).st_size < start + count:
        raise InputError(f"{source.name!s} is shorter than it states", "Download or copy it again.")
    common = _share(source, start, count, output)
    if use is not None:
        for piece in _pieces(start, common):
            use(_read_range(source, *piece))
    if common:
        advance(common)
    for offset, length, is_data in _extents(source, start + common, count - common):
        for place, size in _pieces(offset, length):
            if use is None and is_data and _kernel_copy(source, place, size, output):
                pass
            elif not is_data:
                output.skip(size)
                if use is not None:
                    use(bytes(size))
            else:
                data = _read_range(source, place, size)
                output.write(data)
                if use is not None:
                    use(data)
            advance(size)


def shares_blocks(source: io.FileIO, folder: Path) -> bool:
    """Whether files in `folder` can share blocks with `source`."""
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        output = OutputFile(file)
        return _share(source, 0, block_size(source.fileno()), output) > 0


def _share(source: io.FileIO, start: int, count: int, output: OutputFile) -> int:
    """Share blocks where the file system can do that; the number of bytes that now are shared."""
    block = block_size(output.fileno())
    whole = count // block * block
    if not whole or start % block or output.position % block:
        return 0
    if not shared(source.fileno(), start, output.fileno(), output.position, whole):
        return 0
    output.skip(whole)
    return whole


def _kernel_copy(source: io.FileIO, start: int, count: int, output: OutputFile) -> bool:
    """Let the kernel copy; False if it cannot."""
    done = copied(source.fileno(), start, output.fileno(), output.position, count)
    output.skip(done)
    if 0 < done < count:
        raise InputError(f"{source.name!s} became shorter while llamapack read it", "Try again.")
    return done == count


def _extents(source: io.FileIO, start: int, count: int) -> Iterator[tuple[int, int, bool]]:
    """Offset, length, and whether there are data or a hole."""
    end = start + count
    while start < end:
        hole = min(first_hole(source.fileno(), start), end)
        if hole > start:
            yield start, hole - start, True
        start = hole
        if start < end:
            data = min(end_of_hole(source.fileno(), start), end)
            if data == start:  # holes cannot be told after all
                yield start, end - start, True
                return
            yield start, data - start, False
            start = data


def _pieces(start: int, count: int) -> Iterator[tuple[int, int]]:
    for offset in range(start, start + count, _PIECE):
        yield offset, min(_PIECE, start + count - offset)


def _read_range(source: io.FileIO, start: int, count: int) -> bytes:
    source.seek(start)
    data = source.read(count) or b""
    while len(data) < count:
        more = source.read(count - len(data))
        if not more:
            raise InputError(
                f"{source.name!s} became shorter while llamapack read it", "Try again."
            )
        data += more
    return data
