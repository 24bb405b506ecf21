"""The Mach-O header that a script copies over its file's start, for macOS on x86-64.

Facts: Apple's `mach-o/loader.h`; that all offsets count from the APE file's own start, and what
macOS demands of segments: cosmopolitan's `ape/specification.md`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from packer.head.rules import Broken

X86_64 = 0x01000007
PLACE_MIN = 64
"""Bytes. Copied from an earlier place, the header would overwrite itself."""
HEADERS_MAX = 65536
_MAGIC = 0xFEEDFACF
_PAGE = 4096
_EXECUTE = 2
_SEGMENT_64 = 0x19
_HEADER = struct.Struct("<8I")
_COMMAND = struct.Struct("<2I")
_SEGMENT = struct.Struct("<2I16s4Q4I")
_RIGHTS = ((1, "R"), (2, "W"), (4, "X"))


@dataclass(frozen=True)
class MachoSegment:
    """A part of the file that is mapped; bytes."""

    name: str
    offset: int
    filesz: int
    vaddr: int
    memsz: int
    rights: str
    """Such as `R-X`, at the start."""


def segments(data: bytes) -> list[MachoSegment]:
    """The segments of a Mach-O program.

    Args:
        data: its header and load commands; what follows them does not matter.

    Raises:
        ValueError: it is not the header of a program for x86-64; the message says why.
    """
    if len(data) < _HEADER.size:
        raise ValueError(f"{len(data)} bytes are not a header")
    magic, machine, _, kind, count, size, *_ = _HEADER.unpack_from(data)
    if (magic, machine, kind) != (_MAGIC, X86_64, _EXECUTE):
        raise ValueError("not a header of a program for x86-64")
    if _HEADER.size + size > len(data):
        raise ValueError("load commands are cut off")
    return list(_segments(data[_HEADER.size : _HEADER.size + size], count))


def _segments(commands: bytes, count: int) -> Iterator[MachoSegment]:
    at = 0
    for _ in range(count):
        if at + _COMMAND.size > len(commands):
            raise ValueError("load commands are cut off")
        command, size = _COMMAND.unpack_from(commands, at)
        if size < _COMMAND.size or at + size > len(commands):
            raise ValueError(f"a load command of {size} bytes")
        if command == _SEGMENT_64:
            if size < _SEGMENT.size:
                raise ValueError(f"a segment of {size} bytes")
            fields = _SEGMENT.unpack_from(commands, at)
            _, _, name, vaddr, memsz, offset, filesz, _, rights, _, _ = fields
            yield MachoSegment(
                name.rstrip(b"\0").decode("ascii", "backslashreplace"),
                offset,
                filesz,
                vaddr,
                memsz,
                "".join(letter if rights & bit else "-" for bit, letter in _RIGHTS),
            )
        at += size


def check(found: list[MachoSegment], place: int, file_size: int) -> Iterator[Broken]:
    """The rules that a header with these segments breaks.

    Args:
        place: where the header is copied from, in bytes from the file's start.
        file_size: bytes.
    """
    if place < PLACE_MIN:
        yield Broken("macho-header", f"is copied from {place}, over itself", "macOS")
    for segment in found:
        where = f"macOS: segment {segment.name}"
        if segment.offset + segment.filesz > file_size:
            yield Broken("macho-in-file", "ends after the end of the file", where)
        if segment.vaddr % _PAGE or segment.offset % _PAGE:
            yield Broken("macho-pages", "begins within a page", where)
        if segment.filesz > segment.memsz:
            yield Broken("macho-sizes", "has more in the file than in memory", where)
