"""What the parts say about themselves where no list of hashes does: their ZIP archive.

Its end record tells how long the file is, its directory where each member begins, and CRC-32 and
manifest what the bytes must be.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from statistics import mode
from typing import BinaryIO, Protocol

from packer import manifest
from packer.digest import crc32
from runtime.bundle import Bundle
from runtime.errors import InputError
from runtime.parts import Parts
from runtime.zip_directory import (
    DEFLATED,
    END,
    END64,
    END_MAGIC,
    LOCAL,
    LOCAL_MAGIC,
    LOCATOR64,
    LOCATOR64_MAGIC,
    MAX16,
    MAX32,
    STORED,
    Member,
    read_directory,
)

_TIP = "Download or copy that part again."
_RENAME = "Give each part the name that it was published with."
_INFLATED = 1 << 20  # bytes at once


class Suspect(InputError):
    """A part that is not as it should be."""

    def __init__(self, message: str, index: int, tip: str = _TIP) -> None:
        super().__init__(message, tip)
        self.index = index
        """Of the part."""


def opened(parts: Parts) -> Bundle:
    """The bundle that the parts are; checks lengths, the directory and where members begin.

    Reads a few bytes per member.

    Raises:
        Suspect: a part is cut off, or does not hold what the directory says.
    """
    _check_length(parts)
    file = parts.open()
    try:
        bundle = Bundle(parts.whole, file, read_directory(file, str(parts.whole)))
        _check_members(parts, bundle, file)
    except Suspect:
        file.close()
        raise
    except InputError as problem:
        file.close()
        # The length is right, so the directory itself, at the end, is not.
        raise Suspect(
            f"{parts.paths[-1]} is damaged: {problem.message}", len(parts.paths) - 1
        ) from None
    return bundle


def _check_length(parts: Parts) -> None:
    last = len(parts.paths) - 1
    with parts.open() as file:
        surplus = _surplus(file, parts.size)
    if surplus is None:
        raise _without_end(parts)
    if not surplus:
        return
    odd = _odd(parts.sizes[:-1], surplus)
    path, size = parts.paths[odd], parts.sizes[odd]
    if surplus < 0:
        raise Suspect(f"{path} is truncated: it has {size:,} bytes, {-surplus:,} too few", odd)
    raise Suspect(
        f"{path} is too long: it has {size:,} bytes, and with it all parts have {surplus:,} more "
        f"than {parts.paths[last].name} says at its end",
        odd,
    )


def _odd(sizes: Sequence[int], surplus: int) -> int:
    """Which of these parts has another length than it should, if one has."""
    for index, size in enumerate(sizes):
        if size - surplus in (*sizes[:index], *sizes[index + 1 :]):
            return index
    usual = mode(sizes) if sizes else 0
    return next((index for index, size in enumerate(sizes) if size != usual), 0)


def _without_end(parts: Parts) -> Suspect:
    last = len(parts.paths) - 1
    for path in parts.paths[:-1]:
        with path.open("rb") as file:
            if _surplus(file, file.seek(0, 2)) is not None:
                return Suspect(
                    f"{path} holds what belongs into {parts.paths[last].name}, or a later part: "
                    "their names are swapped",
                    last,
                    _RENAME,
                )
    return Suspect(
        f"{parts.paths[last]} has no ZIP end record: it is cut off, or "
        f"{parts.name.other(last + 1)} is missing",
        last,
    )


def _surplus(file: BinaryIO, size: int) -> int | None:
    """Bytes that there are more than the end record says; None if there is no end record."""
    start = max(0, size - MAX16 - END.size)
    file.seek(start)
    tail = file.read(size - start)
    found: int | None = None
    position = tail.rfind(END_MAGIC)
    # The bytes of the magic may occur by chance behind the record: one that fits goes first.
    while position >= 0 and found != 0:
        stated = _stated_place(tail, position)
        if stated is not None:
            surplus = start + position - stated
            found = surplus if found is None or not surplus else found
        position = tail.rfind(END_MAGIC, 0, position)
    return found


def _stated_place(tail: bytes, position: int) -> int | None:
    """Where in the file the end record at `position` of `tail` says that it is."""
    if position + END.size > len(tail):
        return None
    *_, count, length, offset, comment = END.unpack_from(tail, position)
    if position + END.size + comment > len(tail):
        return None
    if MAX32 not in (length, offset) and count != MAX16:
        return int(offset + length)
    place = position - LOCATOR64.size
    if place < 0 or tail[place : place + 4] != LOCATOR64_MAGIC:
        return None
    return int(LOCATOR64.unpack_from(tail, place)[2] + END64.size + LOCATOR64.size)


def _check_members(parts: Parts, bundle: Bundle, file: BinaryIO) -> None:
    for member in bundle.members.values():
        if _begins(file, member.header_offset, member):
            continue
        index = parts.at(member.header_offset)
        inside = member.header_offset - parts.offsets[index]
        for other, path in enumerate(parts.paths):
            if other != index and inside < parts.sizes[other]:
                with path.open("rb") as part:
                    swapped = _begins(part, inside, member)
                if swapped:
                    raise Suspect(
                        f"{path} holds what belongs into {parts.paths[index].name}: their names "
                        "are swapped",
                        index,
                        _RENAME,
                    )
        raise Suspect(
            f"{parts.paths[index]} is damaged, or is another part: member {member.name} does not "
            "begin where the ZIP directory says",
            index,
        )


def _begins(file: BinaryIO, offset: int, member: Member) -> bool:
    file.seek(offset)
    header = file.read(LOCAL.size)
    if len(header) < LOCAL.size or header[:4] != LOCAL_MAGIC:
        return False
    name = file.read(LOCAL.unpack(header)[9])
    return member.name in (name.decode("utf-8", "replace"), name.decode("cp437", "replace"))


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
