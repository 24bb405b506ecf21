"""Headers of a ZIP archive as bundles have them: local, central, end; alignment; times.

Format: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory),
4.3.14 to 4.3.16 (end records), 4.5.3 (ZIP64 extra field), 4.4.6 (time). Alignment by an extra field
of id 0xD935 as Android's zipalign writes it. The rules for bundles are in docs/bundle-format.md.
"""

from __future__ import annotations

import stat
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass

from packer.io.digest import Digest
from runtime.formats.zip_directory import (
    CENTRAL,
    CENTRAL_MAGIC,
    DEFLATED,
    END,
    END64,
    END64_MAGIC,
    END_MAGIC,
    LOCAL,
    LOCAL_MAGIC,
    LOCATOR64,
    LOCATOR64_MAGIC,
    MAX16,
    MAX32,
)

_ALIGN_ID, _ZIP64_ID = 0xD935, 1
_ALIGN_STATED = 1 << 15  # the field has 16 bits, so 65536 cannot be said in it
_UNIX = 3 << 8
_UTF8, _DESCRIPTOR = 1 << 11, 1 << 3
_EARLIEST, _LATEST = 315532800, 4354819198  # 1980-01-01 00:00:00, 2107-12-31 23:59:58 UTC


@dataclass
class Entry:
    """What the headers of one member say."""

    name: str
    method: int
    size: int  # bytes, uncompressed
    mode: int  # UNIX permissions
    date: int
    time: int
    padding: bytes = b""  # the extra field that aligns the data
    stated: tuple[int, int] = (0, 0)
    """CRC-32 and compressed size that its local header was written with."""

    @property
    def wide(self) -> bool:
        """Whether the local header has a ZIP64 extra field."""
        return self.size >= MAX32

    def local(self, crc: int, packed: int) -> bytes:
        """The local header; always of the same length, so that it can be written again."""
        name, flags = _encoded(self.name)
        extra = self.padding
        size = self.size
        if self.wide:
            extra = struct.pack("<2H2Q", _ZIP64_ID, 16, size, packed) + extra
            size = packed = MAX32
        version = _version(self.method, self.wide)
        fields = (version, flags, self.method, self.time, self.date, crc, packed, size)
        return LOCAL.pack(LOCAL_MAGIC, *fields, len(name), len(extra)) + name + extra

    def central(self, crc: int, packed: int, header_offset: int) -> bytes:
        """The record in the central directory."""
        wide = [value for value in (self.size, packed, header_offset) if value >= MAX32]
        extra = _zip64(wide)
        name, flags = _encoded(self.name)
        fixed = CENTRAL.pack(
            CENTRAL_MAGIC,
            _UNIX | (45 if wide else 20),
            _version(self.method, bool(wide)),
            flags,
            self.method,
            self.time,
            self.date,
            crc,
            min(packed, MAX32),
            min(self.size, MAX32),
            len(name),
            len(extra),
            0,
            0,
            0,
            (stat.S_IFREG | self.mode) << 16,
            min(header_offset, MAX32),
        )
        return fixed + name + extra


def stored_header(entry: bytes, content: Digest, padding: bytes = b"") -> bytes:
    """A local header for a stored member, from its record in the central directory; `padding` is
    the extra field that aligns the data."""
    _, _, _, flags, method, clock, date, *_ = fields = CENTRAL.unpack_from(entry)
    name = entry[CENTRAL.size : CENTRAL.size + fields[10]]
    size, extra, wide = content.size, padding, content.size >= MAX32
    if wide:
        size, extra = MAX32, _zip64([content.size, content.size]) + padding
    head = (_version(method, wide), flags & ~_DESCRIPTOR, method, clock, date)
    sizes = (content.crc32, size, size, len(name), len(extra))
    return LOCAL.pack(LOCAL_MAGIC, *head, *sizes) + name + extra


def moved(
    entry: bytes, *, size: int, packed: int, header_offset: int, plain: bool = False
) -> bytes:
    """A record of the central directory, by any writer, for another place of its member:
    uncompressed and packed size as it states them, and the new offset. `plain`: the local header is
    `stored_header`."""
    fields = list(CENTRAL.unpack_from(entry))
    name_end = CENTRAL.size + fields[10]
    extra_end = name_end + fields[11]
    wide = [value for value in (size, packed, header_offset) if value >= MAX32]
    # ZIP64 comes first, as in what we write ourselves: so moving back gives the same bytes.
    extra = _zip64(wide) + b"".join(
        field for kind, field in _extra_fields(entry[name_end:extra_end]) if kind != _ZIP64_ID
    )
    fields[8], fields[9], fields[16] = (min(n, MAX32) for n in (packed, size, header_offset))
    fields[11] = len(extra)
    if plain:
        fields[3] &= ~_DESCRIPTOR
    if wide:
        fields[1] = max(fields[1] & 0xFF, 45) | fields[1] & 0xFF00
        fields[2] = max(fields[2], 45)
    elif fields[1] == _UNIX | 45 and fields[2] == 45:
        fields[1:3] = _UNIX | 20, _version(fields[4], False)
    return CENTRAL.pack(*fields) + entry[CENTRAL.size : name_end] + extra + entry[extra_end:]


def end_records(position: int, offset: int, count: int) -> bytes:
    """What follows a central directory of `count` members that begins at `offset` and ends at
    `position`."""
    length = position - offset
    records = b""
    if count >= MAX16 or max(length, offset) >= MAX32:
        fields = (45 | _UNIX, 45, 0, 0, count, count, length, offset)
        records = END64.pack(END64_MAGIC, END64.size - 12, *fields)
        records += LOCATOR64.pack(LOCATOR64_MAGIC, 0, position, 1)
    short = min(count, MAX16)
    return records + END.pack(
        END_MAGIC, 0, 0, short, short, min(length, MAX32), min(offset, MAX32), 0
    )


def dos_time(epoch: int) -> tuple[int, int]:
    """Date and time of a ZIP header, to the even second below, from seconds since 1970 UTC. Times
    that ZIP cannot hold become the nearest possible one."""
    moment = time.gmtime(min(max(epoch, _EARLIEST), _LATEST))
    date = (moment.tm_year - 1980) << 9 | moment.tm_mon << 5 | moment.tm_mday
    return date, moment.tm_hour << 11 | moment.tm_min << 5 | moment.tm_sec // 2


def aligned(position: int, header_length: int, alignment: int) -> int:
    """Where the data of a member begin if its header, of this length without the extra field for
    alignment, can be written at `position` or later."""
    start = position + header_length
    return start if start % alignment == 0 else start + 6 + -(start + 6) % alignment


def padding(
    position: int, header_length: int, data_offset: int, alignment: int
) -> tuple[int, bytes]:
    """Bytes to leave free before a local header, and the extra field, for data at `data_offset`,
    which is one that `aligned` gives. Extra fields in `header_length` leave less room; the field
    states `alignment`."""
    length = data_offset - position - header_length
    if not length:
        return 0, b""
    # An extra field ends at 64 KiB. When padding needs more, the header starts later.
    gap = max(0, length - (MAX16 - (header_length - LOCAL.size)))
    length -= gap
    field = struct.pack("<3H", _ALIGN_ID, length - 4, min(alignment, _ALIGN_STATED))
    return gap, field.ljust(length, b"\0")


def _zip64(values: list[int]) -> bytes:
    if not values:
        return b""
    return struct.pack(f"<2H{len(values)}Q", _ZIP64_ID, 8 * len(values), *values)


def _extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """Id and bytes of each field; leftover bytes at the end have id 0."""
    position = 0
    while position < len(extra):
        kind, length = 0, len(extra)
        if position + 4 <= len(extra):
            kind, length = struct.unpack_from("<2H", extra, position)
        yield kind, extra[position : position + 4 + length]
        position += 4 + length


def _version(method: int, wide: bool) -> int:
    """Version of the specification needed to extract (APPNOTE 4.4.3), times ten."""
    return 45 if wide else 20 if method == DEFLATED else 10


def _encoded(name: str) -> tuple[bytes, int]:
    return name.encode(), 0 if name.isascii() else _UTF8
