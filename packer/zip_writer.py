"""Writes ZIP archives: aligned, reproducible, with sizes and CRCs in the local headers.

Format: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory),
4.3.14 to 4.3.16 (end records), 4.5.3 (ZIP64 extra field), 4.4.6 (time). Alignment by an extra field
of id 0xD935 as Android's zipalign writes it. The rules for bundles are in docs/bundle-format.md.
"""

from __future__ import annotations

import stat
import struct
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from packer.copy import Destination, copy, read_ahead
from packer.digest import Digest, digest
from packer.progress import Advance
from runtime.errors import InputError
from runtime.zip_directory import (
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
    STORED,
)

DEFLATE_LEVEL = 9
"""Level of every deflated member, part of what makes bundles reproducible. The same version of zlib
gives the same bytes on every machine; zlib-ng and isal give others, so only `zlib` is used here."""

_ALIGN_ID, _ZIP64_ID = 0xD935, 1
_ALIGN_STATED = 1 << 15  # the field has 16 bits, so 65536 cannot be said in it
_UNIX = 3 << 8
_UTF8 = 1 << 11
_EARLIEST, _LATEST = 315532800, 4354819198  # 1980-01-01 00:00:00, 2107-12-31 23:59:58 UTC


@dataclass(frozen=True)
class Record:
    """One member as it was written."""

    name: str
    method: int
    """`STORED` or `DEFLATED`."""
    digest: Digest
    """Of the uncompressed content."""
    compressed_size: int
    """Bytes in the archive."""
    header_offset: int
    """Bytes from the start of the file to the local header."""
    data_offset: int
    """Bytes from the start of the file to the data."""
    mode: int
    """UNIX permissions."""


class ZipWriter:
    """Appends members to a destination, then the directory. Offsets count from its byte 0."""

    def __init__(self, destination: Destination, epoch: int) -> None:
        """Begin an archive at the destination's present position.

        Args:
            epoch: time stamp of every member, in seconds since 1970 UTC.
        """
        self.records: list[Record] = []
        """What was written so far, in order."""
        self._destination = destination
        self._date, self._time = dos_time(epoch)

    def add_stored(
        self,
        name: str,
        source: BinaryIO,
        size: int,
        *,
        alignment: int = 1,
        sparse: bool = False,
        advance: Advance = lambda _: None,
    ) -> Record:
        """Add `size` bytes of `source` as they are, beginning on a multiple of `alignment`."""
        entry = _Entry(name, STORED, size, 0o644, self._date, self._time)
        header_offset, data_offset = self._begin(entry, alignment)
        content = copy(source, size, name, self._destination, advance=advance, sparse=sparse)
        return self._finish(entry, content, size, header_offset, data_offset)

    def add_deflated(
        self,
        name: str,
        source: BinaryIO,
        size: int,
        *,
        mode: int = 0o644,
        advance: Advance = lambda _: None,
    ) -> Record:
        """Add `size` bytes of `source`, compressed."""
        entry = _Entry(name, DEFLATED, size, mode, self._date, self._time)
        header_offset, data_offset = self._begin(entry, 1)
        deflater = zlib.compressobj(DEFLATE_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        write = self._destination.write
        content = read_ahead(
            source, size, name, lambda data: write(deflater.compress(data)), advance
        )
        write(deflater.flush())
        packed = self._destination.position - data_offset
        return self._finish(entry, content, packed, header_offset, data_offset)

    def add_bytes(self, name: str, data: bytes, *, deflate: bool) -> Record:
        """Add a small member from memory."""
        packed = data
        if deflate:
            deflater = zlib.compressobj(DEFLATE_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
            packed = deflater.compress(data) + deflater.flush()
        method = DEFLATED if deflate else STORED
        return self.add_packed(
            name, iter((packed,)), len(packed), method=method, content=digest(data)
        )

    def add_packed(
        self,
        name: str,
        packed: Iterator[bytes],
        compressed_size: int,
        *,
        method: int,
        content: Digest,
        mode: int = 0o644,
    ) -> Record:
        """Add a member whose compressed form and digest are known already, as from a cache."""
        entry = _Entry(name, method, content.size, mode, self._date, self._time)
        entry.stated = (content.crc32, compressed_size)
        header_offset, data_offset = self._begin(entry, 1)
        for piece in packed:
            self._destination.write(piece)
        if self._destination.position != data_offset + compressed_size:
            raise ValueError(f"{name}: not {compressed_size} bytes as said")
        return self._finish(entry, content, compressed_size, header_offset, data_offset)

    def close(self) -> None:
        """Write the central directory and the end records."""
        destination = self._destination
        offset = destination.position
        for record in self.records:
            destination.write(self._central(record))
        length, count = destination.position - offset, len(self.records)
        if count >= MAX16 or max(length, offset) >= MAX32:
            end64 = destination.position
            fields = (45 | _UNIX, 45, 0, 0, count, count, length, offset)
            destination.write(END64.pack(END64_MAGIC, END64.size - 12, *fields))
            destination.write(LOCATOR64.pack(LOCATOR64_MAGIC, 0, end64, 1))
        short = min(count, MAX16)
        end = END.pack(END_MAGIC, 0, 0, short, short, min(length, MAX32), min(offset, MAX32), 0)
        destination.write(end)

    def _begin(self, entry: _Entry, alignment: int) -> tuple[int, int]:
        """Write a local header, as far as its fields are known; the offsets of header and data."""
        header = entry.local(*entry.stated)
        gap, padding = _padding(self._destination.position + len(header), len(header), alignment)
        self._destination.write(bytes(gap))
        header_offset = self._destination.position
        entry.padding = padding
        self._destination.write(entry.local(*entry.stated))
        return header_offset, self._destination.position

    def _finish(
        self, entry: _Entry, content: Digest, packed: int, header_offset: int, data_offset: int
    ) -> Record:
        if packed >= MAX32 and not entry.wide:
            raise InputError(
                f"{entry.name} grows past 4 GiB by compression",
                "Give it as weights, not as a file.",
            )
        if entry.stated != (content.crc32, packed):
            self._destination.patch(header_offset, entry.local(content.crc32, packed))
        record = Record(
            entry.name, entry.method, content, packed, header_offset, data_offset, entry.mode
        )
        self.records.append(record)
        return record

    def _central(self, record: Record) -> bytes:
        wide = [
            value
            for value in (record.digest.size, record.compressed_size, record.header_offset)
            if value >= MAX32
        ]
        extra = struct.pack(f"<2H{len(wide)}Q", _ZIP64_ID, 8 * len(wide), *wide) if wide else b""
        name, flags = _encoded(record.name)
        fixed = CENTRAL.pack(
            CENTRAL_MAGIC,
            _UNIX | (45 if wide else 20),
            _version(record.method, bool(wide)),
            flags,
            record.method,
            self._time,
            self._date,
            record.digest.crc32,
            min(record.compressed_size, MAX32),
            min(record.digest.size, MAX32),
            len(name),
            len(extra),
            0,
            0,
            0,
            (stat.S_IFREG | record.mode) << 16,
            min(record.header_offset, MAX32),
        )
        return fixed + name + extra


@dataclass
class _Entry:
    """What a local header needs to know."""

    name: str
    method: int
    size: int
    mode: int
    date: int
    time: int
    padding: bytes = b""
    stated: tuple[int, int] = (0, 0)
    """CRC-32 and compressed size that its header was written with."""

    @property
    def wide(self) -> bool:
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


def dos_time(epoch: int) -> tuple[int, int]:
    """Date and time of a ZIP header, from seconds since 1970 UTC; to the even second below.

    Times that ZIP cannot hold become the nearest one that it can.
    """
    moment = time.gmtime(min(max(epoch, _EARLIEST), _LATEST))
    date = (moment.tm_year - 1980) << 9 | moment.tm_mon << 5 | moment.tm_mday
    return date, moment.tm_hour << 11 | moment.tm_min << 5 | moment.tm_sec // 2


def _version(method: int, wide: bool) -> int:
    """Version of the specification needed to extract (APPNOTE 4.4.3), times ten."""
    return 45 if wide else 20 if method == DEFLATED else 10


def _encoded(name: str) -> tuple[bytes, int]:
    return name.encode(), 0 if name.isascii() else _UTF8


def _padding(position: int, header_length: int, alignment: int) -> tuple[int, bytes]:
    """Bytes to leave free before a local header, and the extra field that makes its data aligned.

    Args:
        position: where the data would begin without the field.
        header_length: of the header without the field; extra fields in it leave less room.
        alignment: a power of two.
    """
    if position % alignment == 0:
        return 0, b""
    minimum = struct.calcsize("<3H")
    length = minimum + -(position + minimum) % alignment
    # An extra field ends at 64 KiB. When padding needs a few bytes more, the header starts later.
    gap = max(0, length - (MAX16 - (header_length - LOCAL.size)))
    length -= gap
    field = struct.pack("<3H", _ALIGN_ID, length - 4, min(alignment, _ALIGN_STATED))
    return gap, field.ljust(length, b"\0")
