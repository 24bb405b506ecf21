"""Compares the bytes of a bundle with its own CRC-32s while they pass by, and names the parts."""

from __future__ import annotations

import hashlib
import zlib
from collections import deque
from collections.abc import Iterator
from typing import Protocol

from packer import manifest
from packer.digest import crc32
from runtime.bundle import Bundle
from runtime.errors import InputError
from runtime.parts import Parts
from runtime.zip_directory import DEFLATED, STORED, Member

_INFLATED = 1 << 20  # bytes at once


class Content(Protocol):
    """What a range of bytes must be."""

    def update(self, data: memoryview, /) -> None:
        """Look at the next bytes."""

    def wrong(self) -> str:
        """What is wrong after the last byte; empty: nothing."""


class ContentCheck:
    """Compares all bytes of a bundle, from first to last, with its CRC-32s and its manifest."""

    def __init__(self, parts: Parts, bundle: Bundle) -> None:
        self.problems: list[str] = []
        """What was found so far; each names the parts that it may lie in."""
        self._parts = parts
        self._position = 0
        self._ranges = deque(_ranges(bundle))

    def update(self, data: memoryview) -> None:
        """Look at the next bytes."""
        while data:
            count = len(data)
            if self._ranges:
                start, end, content = self._ranges[0]
                if self._position < start:
                    count = min(count, start - self._position)
                else:
                    count = min(count, end - self._position)
                    content.update(data[:count])
                if self._position + count == end:
                    self._ranges.popleft()
                    if wrong := content.wrong():
                        self.problems.append(self._where(start, end, wrong))
            self._position += count
            data = data[count:]

    def _where(self, start: int, end: int, what: str) -> str:
        first, last = self._parts.at(start), self._parts.at(end - 1)
        paths = self._parts.paths
        if first == last:
            return f"{paths[first]} is damaged: {what}"
        middle = " to " if last > first + 1 else " or "
        return f"{paths[first]}{middle}{paths[last].name} is damaged or in the wrong place: {what}"


def _ranges(bundle: Bundle) -> Iterator[tuple[int, int, Content]]:
    """Begin, end and contents, in the order of the file and without overlaps."""
    try:
        front = manifest.expected_front(bundle.manifest or {})
    except InputError:
        front = None  # its own CRC-32 will tell which part that is
    position = 0
    members = bundle.members.values()
    room = min((member.header_offset for member in members), default=0)
    if front is not None and 0 < front[0] <= room:
        position, sha256 = front
        yield 0, position, _Front(sha256)
    placed = [(bundle.data_offset(member), member) for member in members]
    for start, member in sorted(placed, key=lambda place: place[0]):
        end = start + member.compressed_size
        if start >= position and end > start and not member.encrypted:
            if member.method == STORED:
                yield start, end, _Stored(member)
            elif member.method == DEFLATED:
                yield start, end, _Deflated(member)
            position = end


class _Front:
    def __init__(self, sha256: str) -> None:
        self._expected = sha256
        self._hash = hashlib.sha256()

    def update(self, data: memoryview) -> None:
        self._hash.update(data)

    def wrong(self) -> str:
        same = self._hash.hexdigest() == self._expected
        return "" if same else "head and start stubs are not as in the manifest"


class _Stored:
    def __init__(self, member: Member) -> None:
        self._member = member
        self._crc = 0

    def update(self, data: memoryview) -> None:
        self._crc = crc32(data, self._crc)

    def wrong(self) -> str:
        if self._crc == self._member.crc32:
            return ""
        return f"the CRC-32 of member {self._member.name} differs"


class _Deflated(_Stored):
    def __init__(self, member: Member) -> None:
        super().__init__(member)
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._broken = False

    def update(self, data: memoryview) -> None:
        packed: bytes | memoryview = data
        try:
            while packed and not self._inflater.eof and not self._broken:
                super().update(memoryview(self._inflater.decompress(packed, _INFLATED)))
                packed = self._inflater.unconsumed_tail
        except zlib.error:
            self._broken = True

    def wrong(self) -> str:
        super().update(memoryview(self._inflater.flush() if not self._broken else b""))
        if self._broken:
            return f"member {self._member.name} does not decompress"
        return super().wrong()
