"""ELF notes, as kernels read them: through the program headers.

Facts: System V ABI, chapter 5, "Note Section"; the x86-64 and AArch64 ABI supplements for
GNU properties; FreeBSD's `sys/elf_common.h`, NetBSD's and OpenBSD's `sys/exec_elf.h`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from packer.head.elf import EM_X86_64, Program

PT_NOTE = 4
PT_GNU_PROPERTY = 0x6474E553

_GNU_PROPERTY_TYPE_0 = 5
_X86_FEATURES, _AARCH64_FEATURES = 0xC0000002, 0xC0000000
_LANDING_PADS = 1
"""The lowest bit is GNU_PROPERTY_X86_FEATURE_1_IBT or GNU_PROPERTY_AARCH64_FEATURE_1_BTI."""


def notes(program: Program, data: bytes) -> Iterator[tuple[str, int, bytes]]:
    """Name, type and contents of each note.

    Raises:
        ValueError: a note is cut off.
    """
    for segment in program.segments:
        if segment.type == PT_NOTE:
            block = data[segment.offset : segment.offset + segment.filesz]
            yield from _of(block, 8 if segment.align == 8 else 4)


def has_landing_pads(program: Program, data: bytes) -> bool:
    """Whether the linker found all code ready for IBT (x86-64) or BTI (AArch64)."""
    wanted = _X86_FEATURES if program.machine == EM_X86_64 else _AARCH64_FEATURES
    return any(
        kind == wanted and len(value) >= 4 and struct.unpack_from("<I", value)[0] & _LANDING_PADS
        for name, type_, contents in notes(program, data)
        if (name, type_) == ("GNU", _GNU_PROPERTY_TYPE_0)
        for kind, value in _properties(contents)
    )


def _of(block: bytes, align: int) -> Iterator[tuple[str, int, bytes]]:
    at = 0
    while at + 12 <= len(block):
        name_size, size, kind = struct.unpack_from("<III", block, at)
        start = at + 12 + name_size
        start += -start % align
        if start + size > len(block):
            raise ValueError("a note is cut off")
        name = block[at + 12 : at + 12 + name_size].rstrip(b"\0").decode("latin-1")
        yield name, kind, block[start : start + size]
        at = start + size + -(start + size) % align


def _properties(contents: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 8 <= len(contents):
        kind, size = struct.unpack_from("<II", contents, at)
        yield kind, contents[at + 8 : at + 8 + size]
        at += 8 + size + -size % 8
