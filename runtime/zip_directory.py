"""Reads the directory of a ZIP archive that other data may precede and follow.

Format: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory),
4.3.14 and 4.3.15 (ZIP64 end records), 4.3.16 (end record), 4.5.3 (ZIP64 extra field). As in all
bundles, offsets count from byte 0 of the file. The time taken depends on the number of members, not
on the size of the file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

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

_TAIL = MAX16 + END.size  # bytes searched for the end record
_DIRECTORY_LIMIT = 256 << 20  # bytes; a bundle's directory has some ten thousand
_UTF8, _ENCRYPTED = 1 << 11, 1
_TIP = "Download or copy the file again."


@dataclass(frozen=True)
class Member:
    """One file in the archive, as the central directory describes it."""

    name: str
    method: int
    """`STORED`, `DEFLATED`, `DEFLATED64`, or one that we do not read."""
    flags: int
    crc32: int
    size: int
    """Bytes, uncompressed."""
    compressed_size: int
    """Bytes in the archive."""
    header_offset: int
    """Bytes from the start of the file to the local header."""
    mode: int
    """UNIX file type and permissions, 0 if not stated."""
    entry: bytes
    """The record in the central directory that says all this."""

    @property
    def encrypted(self) -> bool:
        return bool(self.flags & _ENCRYPTED)


@dataclass(frozen=True)
class Directory:
    """The members of one archive."""

    members: Mapping[str, Member]
    """By name, in the order of the directory. Of entries with the same name the last one counts."""
    offset: int
    """Bytes from the start of the file to the central directory."""
    end: int
    """Bytes from the start of the file to the end of the end record and its comment."""


def read_directory(file: BinaryIO, name: str) -> Directory:
    """Read the directory of the archive in `file`; `name` is what errors call it.

    Raises:
        InputError: there is no archive, or it is damaged.
    """
    size = file.seek(0, 2)
    tail_offset = max(0, size - _TAIL)
    tail = _read(file, tail_offset, size - tail_offset)
    position = tail.rfind(END_MAGIC)
    # The bytes of the magic may occur by chance in a comment or a signature: try the next.
    while position >= 0:
        found = _directory_at(file, name, tail, position, tail_offset)
        if found:
            return found
        position = tail.rfind(END_MAGIC, 0, position)
    raise InputError(
        f"{name} is not a bundle: no ZIP end record in its last {len(tail):,} bytes",
        "If it should be one, its download was cut off: fetch it again.",
    )


def data_offset(file: BinaryIO, member: Member, name: str) -> int:
    """Bytes from the start of `file` to the data of `member`.

    Reads the local header, since it can differ from the central one in length.

    Raises:
        InputError: there is no local header of this member.
    """
    header = _read(file, member.header_offset, LOCAL.size)
    if len(header) < LOCAL.size or header[:4] != LOCAL_MAGIC:
        raise InputError(f"{name} is damaged: no local header of member {member.name!r}", _TIP)
    *_, name_length, extra_length = LOCAL.unpack(header)
    return int(member.header_offset + LOCAL.size + name_length + extra_length)


def _read(file: BinaryIO, offset: int, count: int) -> bytes:
    file.seek(offset)
    return file.read(count)


def _directory_at(
    file: BinaryIO, name: str, tail: bytes, position: int, tail_offset: int
) -> Directory | None:
    """The directory whose end record is at `position` of `tail`; None if it is no end record.

    Raises:
        InputError: it is one, of a damaged archive.
    """
    if position + END.size > len(tail):
        return None
    _, _, _, _, count, length, offset, comment = END.unpack_from(tail, position)
    record = tail_offset + position
    end = record + END.size + comment
    if end > tail_offset + len(tail):
        return None
    counted = MAX16  # the count is modulo this and one, in archives of old tools
    if count == MAX16 or MAX32 in (length, offset):
        found = _end64(file, record)
        if found:
            count, length, offset, record = found
            counted = -1
    # An empty directory has no magic to tell it by, only its place.
    if offset + length > record or (not length and offset != record):
        return None
    if length > _DIRECTORY_LIMIT:
        raise InputError(f"{name} is damaged: its ZIP directory claims {length:,} bytes", _TIP)
    data = _read(file, offset, length)
    if length and data[:4] != CENTRAL_MAGIC:
        return None
    members = list(_members(data, name))
    if len(members) & counted != count:
        raise InputError(
            f"{name} is damaged: {len(members)} of {count} members in its ZIP directory", _TIP
        )
    for member in members:
        if member.header_offset + LOCAL.size + member.compressed_size > offset:
            raise InputError(
                f"{name} is damaged: member {member.name!r} reaches past the data", _TIP
            )
    return Directory({member.name: member for member in members}, offset, end)


def _end64(file: BinaryIO, record: int) -> tuple[int, int, int, int] | None:
    """Count, length and offset of the directory, and where its ZIP64 end record begins."""
    locator_offset = record - LOCATOR64.size
    if locator_offset < 0:
        return None
    locator = _read(file, locator_offset, LOCATOR64.size)
    if locator[:4] != LOCATOR64_MAGIC:
        return None
    _, _, position, _ = LOCATOR64.unpack(locator)
    if position + END64.size > locator_offset:
        return None
    fields = END64.unpack(_read(file, position, END64.size))
    if fields[0] != END64_MAGIC:
        return None
    return fields[7], fields[8], fields[9], position


def _members(data: bytes, name: str) -> Iterator[Member]:
    position = 0
    while position < len(data):
        if data[position : position + 4] != CENTRAL_MAGIC or position + CENTRAL.size > len(data):
            raise InputError(f"{name} is damaged in its ZIP directory", _TIP)
        fields = CENTRAL.unpack_from(data, position)
        _, made_by, _, flags, method, _, _, crc32, packed, size, *rest = fields
        name_length, extra_length, comment_length, _, _, attributes, offset = rest
        begin = position
        position += CENTRAL.size
        raw_name = data[position : position + name_length]
        position += name_length
        extra = data[position : position + extra_length]
        position += extra_length + comment_length
        if position > len(data):
            raise InputError(f"{name} is damaged in its ZIP directory", _TIP)
        size, packed, offset = _widened(extra, (size, packed, offset))
        yield Member(
            name=raw_name.decode("utf-8" if flags & _UTF8 else "cp437", "replace"),
            method=method,
            flags=flags,
            crc32=crc32,
            size=size,
            compressed_size=packed,
            header_offset=offset,
            mode=attributes >> 16 if made_by >> 8 == 3 else 0,
            entry=data[begin:position],
        )


def _widened(extra: bytes, values: tuple[int, ...]) -> tuple[int, ...]:
    """Replace values of all ones by those of the ZIP64 extra field, which holds only these."""
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, position)
        if kind == 1:
            body = extra[position + 4 : position + 4 + length]
            wide = iter(struct.unpack(f"<{len(body) // 8}Q", body[: len(body) // 8 * 8]))
            return tuple(next(wide, value) if value == MAX32 else value for value in values)
        position += 4 + length
    return values
