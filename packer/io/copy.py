"""Copies a stream once: one read, one write, and its digest on the way, in constant memory."""

from __future__ import annotations

import io
import mmap
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import BinaryIO, Protocol

from packer.io.digest import Data, Digest, Hasher
from packer.io.direct import DirectReader
from packer.io.progress import Advance
from runtime.errors import InputError

BLOCK = 4 << 20  # bytes; large enough that Python's part of the work vanishes
_BLOCKS = 8  # so many may be between reading and hashing
_AHEAD = 3  # so many are read at once: one alone does not keep a disk busy
_MAPPED = 64  # likewise for pieces of a mapped file, which take no memory until they are hashed


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
        """Append the next `count` bytes of `source` without passing them through this process.

        Returns:
            the bytes, piece by piece while they are written; None: not possible here.
        """


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
    """Append `size` bytes of `source` to `destination`.

    Args:
        source: positioned at its start; unbuffered.
        size: bytes that `source` holds.
        name: what errors call the source.
        advance: told about every block that is done, in bytes.
        sparse: whether blocks of zeros should become holes.

    Raises:
        InputError: the source ends before `size` bytes.
    """
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
    """Give `size` bytes of `source` to `use` block by block, and return their digest.

    The next blocks are read, and the previous ones are hashed, while `use` has its turn.

    Raises:
        InputError: the source ends before `size` bytes.
    """
    count = _BLOCKS if size > BLOCK else 1
    # Whole pages of memory, as direct reading and writing want them.
    blocks = [memoryview(mmap.mmap(-1, min(BLOCK, size) or 1)) for _ in range(count)]
    hashed: list[Callable[[], None]] = [_nothing] * count
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


def _nothing() -> None:
    pass


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
