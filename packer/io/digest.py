"""What a content is known by: its length, CRC-32 (for ZIP) and SHA-256 (for the manifest)."""

from __future__ import annotations

import hashlib
import zlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from mmap import mmap
from typing import TypeAlias

from packer.io.console import Advance
from runtime.formats.bundle import Bundle
from runtime.formats.zip_directory import Member

try:
    from isal.isal_zlib import crc32 as _crc32
except ImportError:  # not on every platform; zlib's is four times slower and gives the same
    from zlib import crc32 as _crc32

Data: TypeAlias = bytes | bytearray | memoryview | mmap

crc32: Callable[[Data, int], int] = _crc32


@dataclass(frozen=True)
class Digest:
    """Identity of one content."""

    size: int  # bytes
    crc32: int
    sha256: str  # 64 lower-case hex digits


def digest(data: Data) -> Digest:
    """The digest of data in memory."""
    return Digest(len(data), zlib.crc32(data), hashlib.sha256(data).hexdigest())


def member_digest(bundle: Bundle, member: Member, advance: Advance) -> Digest:
    """The digest of a member's contents, whatever the directory states. Raises InputError if it is
    cut off, or cannot be unpacked."""
    with Hasher() as hasher:
        for piece in bundle.stream(member):
            hasher.update(piece)
            advance(len(piece))
        return hasher.digest()


class Hasher:
    """Computes a digest in two threads of its own, while the caller reads and writes.

    A context manager. Both hashes let go of the interpreter lock, so that reading, writing and
    hashing of neighbouring blocks go on at the same time.
    """

    def __init__(self, behind: int = 8) -> None:
        """`behind`: blocks that may wait before `update` waits for them."""
        self._behind = behind
        self._sha256 = hashlib.sha256()
        self._crc32 = 0
        self._size = 0
        self._waiting: deque[Callable[[], None]] = deque()
        self._workers = (ThreadPoolExecutor(1), ThreadPoolExecutor(1))

    def __enter__(self) -> Hasher:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.shutdown(cancel_futures=True)

    def update(self, data: Data) -> Callable[[], None]:
        """Hash `data` next, which must not change before the returned function has returned. Waits
        if the threads are far behind, so that memory stays bounded."""
        self._size += len(data)
        if len(self._waiting) == self._behind:
            self._waiting.popleft()()
        first = self._workers[0].submit(self._update_sha256, data)

        def wait() -> None:
            first.result().result()

        self._waiting.append(wait)
        return wait

    def digest(self) -> Digest:
        """The digest of everything so far; waits for the threads."""
        self.update(b"")()
        return Digest(self._size, self._crc32, self._sha256.hexdigest())

    def _update_sha256(self, data: Data) -> Future[None]:
        self._sha256.update(data)
        # Only now: CRC-32 is ten times as fast, and would go through a mapped file far ahead of
        # SHA-256, so that all between the two stayed in memory.
        return self._workers[1].submit(self._update_crc32, data)

    def _update_crc32(self, data: Data) -> None:
        self._crc32 = crc32(data, self._crc32)
