"""The Mach-O header that a script copies over its file's start, for macOS on x86-64: its rules.

Sources: Apple's `mach-o/loader.h`; cosmopolitan's `ape/specification.md`: all offsets count from
the start of the APE file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from packer.ape.rules import Broken
from packer.head.macho_signature import CPU_X86_64, LC_SEGMENT_64, MH_EXECUTE, commands

PLACE_MIN = 64
"""Bytes. A header that is copied from an earlier place overwrites itself."""
HEADERS_MAX = 65536
_PAGE = 4096
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
    """At the start, such as `R-X`."""


def segments(data: bytes) -> list[MachoSegment]:
    """The segments of a Mach-O program.

    Args:
        data: begins with its header and load commands.

    Raises:
        ValueError: it is not the header of a program for x86-64; the message says why.
    """
    found = []
    for kind, at, size in commands(data):
        if kind == LC_SEGMENT_64:
            if size < _SEGMENT.size:
                raise ValueError(f"a segment of {size} bytes")
            _, _, name, vaddr, memsz, offset, filesz, _, rights, _, _ = _SEGMENT.unpack_from(
                data, at
            )
            title = name.rstrip(b"\0").decode("ascii", "backslashreplace")
            letters = "".join(letter if rights & bit else "-" for bit, letter in _RIGHTS)
            found.append(MachoSegment(title, offset, filesz, vaddr, memsz, letters))
    if struct.unpack_from("<I4xI", data, 4) != (CPU_X86_64, MH_EXECUTE):
        raise ValueError("not a header of a program for x86-64")
    return found


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
