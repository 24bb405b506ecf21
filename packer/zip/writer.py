"""Writes ZIP archives: aligned, reproducible, with sizes and CRCs in the local headers.

The headers are those of packer/zip/headers.py. Members can also be taken over from an older
archive: where they are in the file, or byte for byte.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from packer.io.console import Advance
from packer.io.copy import Destination, copy, read_ahead
from packer.io.digest import Digest, digest
from packer.zip.headers import Entry, aligned, dos_time, end_records, moved, padding, stored_header
from runtime.errors import InputError
from runtime.formats.zip_directory import DEFLATED, MAX32, STORED, Member

DEFLATE_LEVEL = 9
"""Level of every deflated member, part of what makes bundles reproducible. The same version of zlib
gives the same bytes on every machine; zlib-ng and isal give others, so only `zlib` is used here."""


_ZEROS = bytes(1 << 20)


@dataclass(frozen=True)
class Record:
    """One member as it was written."""

    name: str
    method: int  # `STORED` or `DEFLATED`
    digest: Digest  # of the uncompressed content
    compressed_size: int  # bytes in the archive
    header_offset: int  # bytes from the start of the file to the local header
    data_offset: int  # bytes from the start of the file to the data
    mode: int  # UNIX permissions
    entry: bytes  # its record in the central directory


class ZipWriter:
    """Appends members to a destination, then the directory. Offsets count from its byte 0."""

    def __init__(self, destination: Destination, epoch: int) -> None:
        """Begin at the destination's present position; `epoch`: time stamp of every member, seconds
        since 1970 UTC."""
        self.records: list[Record] = []
        """The members written so far, in order."""
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
        entry = Entry(name, STORED, size, 0o644, self._date, self._time)
        header_offset, data_offset = self._begin(entry, alignment)
        content = copy(source, size, name, self._destination, advance=advance, sparse=sparse)
        return self._finish(entry, content, size, header_offset, data_offset)

    def add_in_place(self, name: str, content: Digest, *, alignment: int) -> Record:
        """Add a stored member whose data are already in the destination, at the next multiple of
        `alignment` after its local header."""
        entry = Entry(name, STORED, content.size, 0o644, self._date, self._time)
        entry.stated = (content.crc32, content.size)
        header_offset, data_offset = self._begin(entry, alignment)
        self._destination.skip(content.size)
        return self._finish(entry, content, content.size, header_offset, data_offset)

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
        entry = Entry(name, DEFLATED, size, mode, self._date, self._time)
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
        """Add a member whose compressed form and digest are known, as from a cache."""
        entry = Entry(name, method, content.size, mode, self._date, self._time)
        entry.stated = (content.crc32, compressed_size)
        header_offset, data_offset = self._begin(entry, 1)
        for piece in packed:
            self._destination.write(piece)
        if self._destination.position != data_offset + compressed_size:
            raise ValueError(f"{name}: not {compressed_size} bytes as said")
        return self._finish(entry, content, compressed_size, header_offset, data_offset)

    def add_entry(
        self, member: Member, content: Digest, local: Iterator[bytes], data_offset: int
    ) -> Record:
        """Add a member of another archive byte for byte: `local` is its local header, data and, if
        any, data descriptor; `data_offset` that of its data in the other archive."""
        header_offset = self._destination.position
        for piece in local:
            self._destination.write(piece)
        shift = header_offset - member.header_offset
        return self.add_present(member, content, header_offset, data_offset + shift)

    def add_header(
        self, member: Member, content: Digest, *, alignment: int, data_offset: int | None = None
    ) -> int:
        """Write a new local header for a stored member of another archive; returns its offset. The
        caller then writes the data, at `data_offset` or the next multiple of `alignment`, and calls
        `add_present`."""
        header = stored_header(member.entry, content)
        position = self._destination.position
        if data_offset is None:
            data_offset = aligned(position, len(header), alignment)
        gap, field = padding(position, len(header), data_offset, alignment)
        self._leave(gap)
        header_offset = self._destination.position
        self._destination.write(stored_header(member.entry, content, field))
        return header_offset

    def add_present(
        self,
        member: Member,
        content: Digest,
        header_offset: int,
        data_offset: int,
        *,
        plain: bool = False,
    ) -> Record:
        """List a member of another archive whose local entry is in its place already; `plain`: its
        local header is new, from `add_header`."""
        entry = moved(
            member.entry,
            size=member.size,
            packed=member.compressed_size,
            header_offset=header_offset,
            plain=plain,
        )
        record = Record(
            member.name,
            member.method,
            content,
            member.compressed_size,
            header_offset,
            data_offset,
            member.mode & 0o777,
            entry,
        )
        self.records.append(record)
        return record

    def close(self) -> None:
        """Write the central directory and the end records."""
        destination = self._destination
        offset = destination.position
        for record in self.records:
            destination.write(record.entry)
        destination.write(end_records(destination.position, offset, len(self.records)))

    def _begin(self, entry: Entry, alignment: int) -> tuple[int, int]:
        """Write a local header with the fields known so far; the offsets of header and data."""
        length = len(entry.local(0, 0))
        position = self._destination.position
        data_offset = aligned(position, length, alignment)
        gap, entry.padding = padding(position, length, data_offset, alignment)
        self._leave(gap)
        header_offset = self._destination.position
        self._destination.write(entry.local(*entry.stated))
        return header_offset, data_offset

    def _leave(self, gap: int) -> None:
        for start in range(0, gap, len(_ZEROS)):
            self._destination.write(_ZEROS[: gap - start])

    def _finish(
        self, entry: Entry, content: Digest, packed: int, header_offset: int, data_offset: int
    ) -> Record:
        if packed >= MAX32 and not entry.wide:
            raise InputError(
                f"{entry.name} grows past 4 GiB by compression", "Add it as weights, not as a file."
            )
        if entry.stated != (content.crc32, packed):
            self._destination.patch(header_offset, entry.local(content.crc32, packed))
        central = entry.central(content.crc32, packed, header_offset)
        record = Record(
            entry.name,
            entry.method,
            content,
            packed,
            header_offset,
            data_offset,
            entry.mode,
            central,
        )
        self.records.append(record)
        return record
