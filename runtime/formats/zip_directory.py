"""Reads the directory of a ZIP archive that other data may precede and follow.

Format: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory),
4.3.14 and 4.3.15 (ZIP64 end records), 4.3.16 (end record), 4.5.3 (ZIP64 extra field). As in all
bundles, offsets count from byte 0 of the file. The time depends on the number of members, not on
the size of the file. docs/bundle-format.md has the rules; native/bundle/zip_directory.c follows the
same: llamapack shows the members that stubs and engines read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, NamedTuple

from runtime.errors import InputError

STORED, DEFLATED, DEFLATED64 = 0, 8, 9
METHODS = {STORED: "stored", DEFLATED: "deflated", DEFLATED64: "deflate64"}

LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
END64 = struct.Struct("<4sQ2H2I4Q")
LOCATOR64 = struct.Struct("<4sIQI")
LOCAL_MAGIC, CENTRAL_MAGIC, END_MAGIC = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
END64_MAGIC, LOCATOR64_MAGIC = b"PK\x06\x06", b"PK\x06\x07"

MAX16, MAX32 = 0xFFFF, 0xFFFFFFFF

_WIDE = END64.size + LOCATOR64.size  # bytes before an end record of ZIP64
_SEARCHED = MAX16 + END.size  # last bytes of the file in which an end record begins
_DIRECTORY_LIMIT = 64 << 20  # bytes; a bundle's directory has some ten thousand
_MEMBERS_LIMIT = 1 << 18
_ENCRYPTED, _STREAMED = 1, 1 << 3
_TIP = "Download or copy the file again."


class Member(NamedTuple):
    """One file in the archive, as the central directory describes it."""

    name: str
    method: int
    flags: int
    crc32: int
    size: int
    """Bytes, uncompressed."""
    compressed_size: int
    """Bytes in the archive."""
    header_offset: int
    mode: int
    """UNIX file type and permissions, 0 if not stated."""
    entry: bytes
    """Its record in the central directory."""
    raw_name: bytes
    limit: int
    """Offset where its data end at the latest: where the next member or the directory begins."""

    @property
    def encrypted(self) -> bool:
        return bool(self.flags & _ENCRYPTED)


@dataclass(frozen=True)
class Directory:
    """The members of one archive."""

    members: Mapping[str, Member]
    """By name, in the order of the directory. Of entries with the same name the last one counts."""
    offset: int
    end: int
    """Offset after the end record and its comment."""


def read_directory(file: BinaryIO, name: str, *, old_names: bool = False) -> Directory:
    """Read the directory of the archive in `file`; `name` is what errors call it.

    Args:
        old_names: read names that are not UTF-8 as cp437. Stubs and engines refuse such names.

    Raises:
        InputError: there is no archive, it is damaged, or it can be read in two ways.
    """
    size = file.seek(0, 2)
    base = max(0, size - _SEARCHED - _WIDE)
    tail = _read(file, base, size - base)
    first = max(0, len(tail) - _SEARCHED)
    found: _End | None = None
    position = tail.rfind(END_MAGIC, first)
    while position >= 0:
        record = _end_at(file, tail, base, position)
        if record and found is None:
            found = _checked(record, name)
        elif record and found and record.end > found.offset:
            # Programs that append to an archive leave its old directory and end record where they
            # are, as dead bytes before the new directory; any other second one is ambiguous.
            raise _damaged(name, "it has two ZIP end records")
        position = tail.rfind(END_MAGIC, first, position)
    if found is None:
        raise InputError(
            f"{name} is not a bundle: no ZIP end record in its last {min(size, _SEARCHED):,} bytes",
            "If it should be one, its download was cut off: download it again.",
        )
    rows = list(_rows(_read(file, found.offset, found.length), found.members, name))
    members: dict[str, Member] = {}
    for row, limit in zip(rows, _limits(rows, found.offset, name), strict=True):
        member = Member(_decoded(row[_RAW_NAME], name, old_names), *row, limit)
        members.pop(member.name, None)
        members[member.name] = member
    return Directory(members, found.offset, found.end)


def data_offset(file: BinaryIO, member: Member, name: str) -> int:
    """Offset of the data of `member`, by its local header, whose length can differ.

    Raises:
        InputError: the local header is missing or disagrees with the directory.
    """
    header = _read(file, member.header_offset, LOCAL.size)
    if len(header) < LOCAL.size or header[:4] != LOCAL_MAGIC:
        raise InputError(f"{name} is damaged: no local header of member {member.name!r}", _TIP)
    *_, name_length, extra_length = LOCAL.unpack(header)
    rest = file.read(name_length + extra_length)
    offset = int(member.header_offset + LOCAL.size + len(rest))
    if len(rest) < name_length + extra_length or offset + member.compressed_size > member.limit:
        raise InputError(
            f"{name} is damaged: the data of member {member.name!r} overlap the bytes after them",
            _TIP,
        )
    if not _agrees(member, header, rest[:name_length], rest[name_length:]):
        raise InputError(
            f"{name} is damaged: local header and ZIP directory disagree about member "
            f"{member.name!r}",
            _TIP,
        )
    return offset


def _read(file: BinaryIO, offset: int, count: int) -> bytes:
    file.seek(offset)
    return file.read(count)


def _damaged(name: str, what: str) -> InputError:
    return InputError(f"{name} is damaged: {what}", _TIP)


class _End(NamedTuple):
    """An end record, or the values of the ZIP64 record that widens it."""

    position: int
    end: int
    """After its comment."""
    disks: tuple[int, ...]
    """This disk, the directory's, members on this disk, members."""
    length: int
    offset: int
    wide: tuple[bytes, bytes] | None
    """The ZIP64 record and locator before it."""

    @property
    def members(self) -> int:
        return self.disks[3]


def _end_at(file: BinaryIO, tail: bytes, base: int, place: int) -> _End | None:
    """The end record at `place` of `tail`, right or wrong; None if the magic is there by chance."""
    if place + END.size > len(tail):
        return None
    _, *disks, length, offset, comment = END.unpack_from(tail, place)
    if place + END.size + comment > len(tail):
        return None
    position = base + place
    wide = None
    if place >= _WIDE and tail[place - LOCATOR64.size :][:4] == LOCATOR64_MAGIC:
        wide = tail[place - _WIDE : place - LOCATOR64.size], tail[place - LOCATOR64.size : place]
    end = position + END.size + comment
    record = _End(position, end, tuple(disks), length, offset, wide)
    if wide and LOCATOR64.unpack(wide[1])[2] == position - _WIDE:
        return record
    # A member may be a ZIP itself: the record counts if a directory begins where it says.
    if not length:
        return record if offset == position else None
    begins = offset < position and _read(file, offset, 4) == CENTRAL_MAGIC
    return record if begins else None


def _checked(end: _End, name: str) -> _End:
    limit = end.position
    disk, first_disk, here, count = end.disks
    if disk or first_disk or here != count:
        raise _damaged(name, "its ZIP end record is that of an archive on several disks")
    if end.wide:
        limit -= _WIDE
        end = _widened_end(end, name)
    elif MAX32 in (end.length, end.offset):
        raise _damaged(name, "its ZIP64 end record is missing")
    if end.offset + end.length != limit:
        raise _damaged(name, "its ZIP directory does not end where its end record begins")
    if end.length > _DIRECTORY_LIMIT:
        raise _damaged(name, f"its ZIP directory is larger than {_DIRECTORY_LIMIT >> 20} MiB")
    if end.members > _MEMBERS_LIMIT:
        raise _damaged(name, f"it has more than {_MEMBERS_LIMIT:,} members")
    return end


def _widened_end(end: _End, name: str) -> _End:
    """Replace the values of an end record by those of the ZIP64 record before it."""
    assert end.wide
    magic, size, _, _, *disks, length, offset = END64.unpack(end.wide[0])
    _, disk, place, total = LOCATOR64.unpack(end.wide[1])
    right = (
        (magic, size, *disks[:2], disk) == (END64_MAGIC, END64.size - 12, 0, 0, 0)
        and disks[2] == disks[3]
        and place == end.position - _WIDE
        and total <= 1
        and end.members in (MAX16, disks[3])
        and end.length in (MAX32, length)
        and end.offset in (MAX32, offset)
    )
    if not right:
        raise _damaged(name, "its ZIP64 end record is damaged")
    return end._replace(disks=tuple(disks), length=length, offset=offset)


_Row = tuple[int, int, int, int, int, int, int, bytes, bytes]
"""A `Member` without its name and limit."""
_PACKED: Final = 4
_OFFSET: Final = 5
_RAW_NAME: Final = 8


def _rows(data: bytes, count: int, name: str) -> Iterator[_Row]:
    unpack, central = CENTRAL.unpack_from, CENTRAL.size
    position, length = 0, len(data)
    for _ in range(count):
        if position + central > length:
            raise _damaged(name, "its ZIP directory is cut off")
        (
            magic, made_by, _, flags, method, _, _, crc32, packed, size,
            name_length, extra_length, comment_length, disk, _, attributes, offset,
        ) = unpack(data, position)  # fmt: skip
        begin = position
        name_end = begin + central + name_length
        position = name_end + extra_length + comment_length
        if magic != CENTRAL_MAGIC or position > length:
            raise _damaged(name, "its ZIP directory has a wrong record")
        if disk:
            raise _damaged(name, "a member of its ZIP directory is on another disk")
        if MAX32 in (size, packed, offset):
            extra = data[name_end : name_end + extra_length]
            size, packed, offset = _widened(extra, (size, packed, offset), name)
        if method == STORED and size != packed and not flags & _ENCRYPTED:
            raise _damaged(name, "its ZIP directory states two sizes for a stored member")
        yield (
            method, flags, crc32, size, packed, offset,
            attributes >> 16 if made_by >> 8 == 3 else 0,
            data[begin:position], data[begin + central : name_end],
        )  # fmt: skip
    if position != length:
        raise _damaged(name, "its ZIP directory is longer than its members")


def _decoded(raw: bytes, name: str, old_names: bool) -> str:
    if 0 in raw:
        raise _damaged(name, "a name in its ZIP directory contains a NUL")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        if old_names:
            return raw.decode("cp437")
        raise InputError(
            f"{name} has a member whose name is not UTF-8: {raw[:80]!r}",
            "Unpack it with `llamapack extract`, and pack its files again.",
        ) from None


def _limits(rows: Sequence[_Row], limit: int, name: str) -> list[int]:
    """How far each member may reach: to the next one, and the last one to the directory."""
    limits = [0] * len(rows)
    for index in sorted(range(len(rows)), key=lambda index: rows[index][_OFFSET], reverse=True):
        row = rows[index]
        if row[_OFFSET] + LOCAL.size + len(row[_RAW_NAME]) + row[_PACKED] > limit:
            raise _damaged(
                name, "members in its ZIP directory overlap, or are outside of the archive"
            )
        limits[index] = limit
        limit = row[_OFFSET]
    return limits


def _field64(extra: bytes) -> bytes | None:
    """The ZIP64 extra field; None if it is missing or a field before it is damaged."""
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, position)
        position += 4
        if position + length > len(extra):
            break
        if kind == 1:
            return extra[position : position + length]
        position += length
    return None


def _widened(extra: bytes, values: tuple[int, int, int], name: str) -> Iterator[int]:
    """Replace values of all ones by those of the ZIP64 extra field, which holds only these."""
    field = _field64(extra) or b""
    if len(field) < 8 * values.count(MAX32):
        raise _damaged(name, "its ZIP directory has a damaged ZIP64 field")
    wide = iter(struct.unpack_from(f"<{values.count(MAX32)}Q", field))
    return (next(wide) if value == MAX32 else value for value in values)


def _agrees(member: Member, header: bytes, raw_name: bytes, extra: bytes) -> bool:
    """Whether a local header states the name, CRC-32 and sizes that the directory does."""
    _, _, flags, method, _, _, crc32, packed, size, _, _ = LOCAL.unpack(header)
    if MAX32 in (packed, size):
        field = _field64(extra) or b""
        if len(field) < 16:
            return False
        wide_size, wide_packed = struct.unpack_from("<2Q", field)
        size = wide_size if size == MAX32 else size
        packed = wide_packed if packed == MAX32 else packed
    stated = ((crc32, member.crc32), (packed, member.compressed_size), (size, member.size))
    return (
        (raw_name, method) == (member.raw_name, member.method)
        and not (flags ^ member.flags) & _ENCRYPTED
        # In streamed archives sizes and CRC-32 follow the data.
        and all(here == there or (not here and flags & _STREAMED) for here, there in stated)
    )
