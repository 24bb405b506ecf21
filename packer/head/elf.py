"""ELF64 headers: enough to embed a static program in a bundle.

Sources: System V ABI, chapters 4 and 5; cosmopolitan's `ape/loader.c`.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Sequence

ET_EXEC = 2
EM_X86_64, EM_AARCH64 = 62, 183
PT_NULL, PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_PHDR = 0, 1, 2, 3, 6
PT_GNU_STACK = 0x6474E551
PT_OPENBSD_NOBTCFI = 0x65A3DBE8
"""OpenBSD's `sys/exec_elf.h`; only its type and flags have a meaning."""
PF_X, PF_W, PF_R = 1, 2, 4

FREEBSD = 9
"""EI_OSABI of FreeBSD, the only system that checks it."""
KEEP_ARGV0 = 0x101CA75
"""The value of `e_flags` that makes the kernel's and APE's loaders keep the caller's argv[0]."""

_OS_ABI = 7  # in e_ident
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
HEADER_SIZE = _HEADER.size
SEGMENT_SIZE = _SEGMENT.size


@dataclasses.dataclass(frozen=True)
class Segment:
    """One program header; the names are those of the ABI without `p_`."""

    type: int
    flags: int
    offset: int
    vaddr: int
    paddr: int
    filesz: int
    memsz: int
    align: int

    def pack(self) -> bytes:
        """The 56 bytes of the program header."""
        return _SEGMENT.pack(*dataclasses.astuple(self))


@dataclasses.dataclass(frozen=True)
class Program:
    """An ELF header with its program headers."""

    machine: int
    entry: int
    phoff: int
    flags: int
    type: int
    phentsize: int
    segments: tuple[Segment, ...]
    os_abi: int = 0
    """EI_OSABI; 0: System V."""

    @property
    def loads(self) -> list[Segment]:
        """The segments that are mapped, in their order."""
        return [s for s in self.segments if s.type == PT_LOAD]

    def header(self) -> bytes:
        """The 64 bytes of the ELF header; section headers are left out."""
        ident = b"\x7fELF" + bytes([2, 1, 1, self.os_abi]) + bytes(8)
        return _HEADER.pack(
            ident, self.type, self.machine, 1, self.entry, self.phoff, 0, self.flags,
            HEADER_SIZE, SEGMENT_SIZE, len(self.segments), 0, 0, 0,
        )  # fmt: skip


def table_place(header: bytes) -> tuple[int, int]:
    """Offset and size of the program header table that an ELF header points to.

    Raises:
        ValueError: it is not a little-endian ELF64 header; the message says why.
    """
    if len(header) < HEADER_SIZE or header[:4] != b"\x7fELF":
        raise ValueError("no ELF magic")
    if header[4:6] != b"\x02\x01":
        raise ValueError("not ELFCLASS64 and ELFDATA2LSB")
    fields = _HEADER.unpack(header[:HEADER_SIZE])
    phoff, phentsize, phnum = fields[5], fields[9], fields[10]
    if phentsize != SEGMENT_SIZE:
        raise ValueError(f"e_phentsize is {phentsize}, not {SEGMENT_SIZE}")
    return phoff, phnum * SEGMENT_SIZE


def with_segments(header: bytes, table: bytes) -> Program:
    """Read an ELF header and the program header table that it points to.

    Raises:
        ValueError: they are not those of a little-endian ELF64 file; the message says why.
    """
    if len(table) != table_place(header)[1]:
        raise ValueError("program header table is cut off")
    ident, kind, machine, _, entry, phoff, _, flags, _, phentsize, *_ = _HEADER.unpack(
        header[:HEADER_SIZE]
    )
    segments = tuple(Segment(*fields) for fields in _SEGMENT.iter_unpack(table))
    return Program(machine, entry, phoff, flags, kind, phentsize, segments, ident[_OS_ABI])


def parse(header: bytes, image: bytes) -> Program:
    """Read the ELF header in `header` and the program headers that it points to in `image`.

    Raises:
        ValueError: they are not those of a little-endian ELF64 file; the message says why.
    """
    offset, size = table_place(header)
    return with_segments(header, image[offset : offset + size])


def embed(
    program: Program, *, at: int, table_at: int, extra: Sequence[Segment] = ()
) -> tuple[Program, bytes]:
    """The headers of `program` as part of a larger file, and the bytes of their table.

    PT_PHDR is left out: it describes the old table, and musl computes its load address from it.

    Args:
        at: where the program starts in the larger file, a multiple of every `p_align`.
        table_at: where the new program header table will be.
        extra: segments of the larger file itself; they come first.
    """
    moved = [
        dataclasses.replace(s, offset=s.offset + at)
        for s in program.segments
        if s.type not in (PT_NULL, PT_PHDR)
    ]
    segments = (*extra, *moved)
    new = dataclasses.replace(program, phoff=table_at, flags=KEEP_ARGV0, segments=segments)
    return new, b"".join(s.pack() for s in segments)


def hide_phdr(image: bytes) -> bytes:
    """Turn PT_PHDR of an ELF file into PT_NULL, in place.

    Under the APE loader the program headers are elsewhere than PT_PHDR says, and musl crashes.
    """
    program = parse(image, image)
    out = bytearray(image)
    for i, segment in enumerate(program.segments):
        if segment.type == PT_PHDR:
            struct.pack_into("<I", out, program.phoff + i * SEGMENT_SIZE, PT_NULL)
    return bytes(out)


def without_landing_pads(image: bytes) -> bytes:
    """An OpenBSD program with PT_OPENBSD_NOBTCFI in place of PT_GNU_STACK, which OpenBSD ignores.

    OpenBSD ≥ 7.4 kills a process at the first indirect branch to anything but an ENDBR64 or BTI
    instruction, unless its program has this header, which also holds for all of its libraries.
    zig's compiler_rt lacks such instructions, and zig does not accept the linker's `-z nobtcfi`.

    Raises:
        ValueError: it is not an ELF64 file, or has no PT_GNU_STACK.
    """
    program = parse(image, image)
    types = [segment.type for segment in program.segments]
    if PT_OPENBSD_NOBTCFI in types:
        return image
    if PT_GNU_STACK not in types:
        raise ValueError("no PT_GNU_STACK that PT_OPENBSD_NOBTCFI can replace")
    at = program.phoff + types.index(PT_GNU_STACK) * SEGMENT_SIZE
    marker = Segment(PT_OPENBSD_NOBTCFI, PF_X, 0, 0, 0, 0, 0, 0).pack()
    return image[:at] + marker + image[at + len(marker) :]
