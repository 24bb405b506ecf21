"""Marks OpenBSD programs that have code without landing pads for indirect branches.

OpenBSD ≥ 7.4 kills a process at the first indirect branch to anything but an ENDBR64 or BTI
instruction, unless its program has a PT_OPENBSD_NOBTCFI header. zig's own compiler_rt has no such
instructions, so a linker leaves them out of what it makes itself (PLT) too, and zig does not know
the linker's `-z nobtcfi`, which writes the header.
"""

from __future__ import annotations

from packer.head import elf

PT_GNU_STACK = 0x6474E551
PT_OPENBSD_NOBTCFI = 0x65A3DBE8
"""OpenBSD's `sys/exec_elf.h`; only type and flags mean something."""


def without_landing_pads(program: bytes) -> bytes:
    """The program with PT_OPENBSD_NOBTCFI in place of PT_GNU_STACK, which OpenBSD ignores.

    The program decides for all libraries that come into its process. A marked one stays as it is.

    Raises:
        ValueError: it is not an ELF64 file, or has no PT_GNU_STACK.
    """
    parsed = elf.parse(program, program)
    types = [segment.type for segment in parsed.segments]
    if PT_OPENBSD_NOBTCFI in types:
        return program
    if PT_GNU_STACK not in types:
        raise ValueError("no PT_GNU_STACK that PT_OPENBSD_NOBTCFI can replace")
    out = bytearray(program)
    marker = elf.Segment(PT_OPENBSD_NOBTCFI, elf.PF_X, 0, 0, 0, 0, 0, 0).pack()
    at = parsed.phoff + types.index(PT_GNU_STACK) * elf.SEGMENT_SIZE
    out[at : at + len(marker)] = marker
    return bytes(out)


def is_marked(program: elf.Program) -> bool:
    """Whether a program has opted out."""
    return any(segment.type == PT_OPENBSD_NOBTCFI for segment in program.segments)
