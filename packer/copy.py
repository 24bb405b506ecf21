"""Copies a stream once: one read, one write, and its digest on the way, in constant memory."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, Protocol

from packer.digest import Data, Digest, Hasher
from packer.progress import Advance
from runtime.errors import InputError

BLOCK = 4 << 20  # bytes; large enough that Python's part of the work vanishes
_BLOCKS = 6  # so many may be between reading and hashing
_MAPPED = 64  # likewise for pieces of a mapped file, which take no memory until they are hashed


class Destination(Protocol):
    """Where an archive goes: a growing file whose earlier bytes can be mended."""

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
            what was written, piece by piece while it is being written; None: not possible here.
        """


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

    The next block is read, and the previous ones are hashed, while `use` has its turn.

    Raises:
        InputError: the source ends before `size` bytes.
    """
    blocks = [
        memoryview(bytearray(min(BLOCK, size))) for _ in range(_BLOCKS if size > BLOCK else 1)
    ]
    hashed: list[Callable[[], None]] = [_nothing] * len(blocks)
    lengths = [min(BLOCK, size - start) for start in range(0, size, BLOCK)]
    with ThreadPoolExecutor(1) as reader, Hasher() as hasher:
        for index, length in enumerate(lengths):
            block = blocks[index % len(blocks)]
            if index == 0:
                ahead = reader.submit(_fill, source, block[:length], name)
            data = ahead.result()
            if index + 1 < len(lengths):
                following = (index + 1) % len(blocks)
                hashed[following]()
                space = blocks[following][: lengths[index + 1]]
                ahead = reader.submit(_fill, source, space, name)
            hashed[index % len(blocks)] = hasher.update(data)
            use(data)
            advance(length)
        return hasher.digest()


def _nothing() -> None:
    pass


def _fill(source: BinaryIO, space: memoryview, name: str) -> memoryview:
    done = 0
    while done < len(space):
        assert isinstance(source, io.RawIOBase | io.BufferedIOBase)
        count = source.readinto(space[done:])
        if not count:
            raise InputError(f"{name} became shorter while it was read", "Run the command again.")
        done += count
    return space
