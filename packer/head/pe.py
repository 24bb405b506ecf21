"""PE32+ headers: enough to embed a Windows program in a bundle.

Source: Microsoft's "PE Format".
"""

from __future__ import annotations

import dataclasses
import struct

AMD64 = 0x8664
PE32_PLUS = 0x20B
LFANEW = 0x3C
"""Offset of the DOS header's field with the offset of the NT headers."""
EXECUTE, WRITE = 0x20000000, 0x80000000
"""Bits of a section's characteristics."""
EXECUTABLE_IMAGE, DLL = 0x0002, 0x2000
"""Bits of the file's characteristics."""
CERTIFICATE, DEBUG = 4, 6
"""Data directories that contain file offsets, which would be wrong in a larger file."""

_COFF = struct.Struct("<4sHHIIIHH")
_OPTIONAL = struct.Struct("<HBBIIIIIQIIHHHHHHIIIIHHQQQQII")
_DIRECTORY = struct.Struct("<II")
_SECTION = struct.Struct("<8sIIIIIIHHI")


@dataclasses.dataclass(frozen=True)
class Section:
    """One section header; sizes and addresses in bytes."""

    name: bytes
    virtual_size: int
    address: int
    """Relative to the image's base."""
    raw_size: int
    raw_offset: int
    relocations: int
    line_numbers: int
    relocation_count: int
    line_number_count: int
    flags: int


@dataclasses.dataclass(frozen=True)
class Optional:
    """The optional header of PE32+ without its data directories, in the order of the file."""

    magic: int
    linker_major: int
    linker_minor: int
    code_size: int
    data_size: int
    bss_size: int
    entry: int
    code_base: int
    image_base: int
    section_alignment: int
    file_alignment: int
    os_major: int
    os_minor: int
    image_major: int
    image_minor: int
    subsystem_major: int
    subsystem_minor: int
    win32_version: int
    image_size: int
    headers_size: int
    checksum: int
    subsystem: int
    dll_flags: int
    stack_reserve: int
    stack_commit: int
    heap_reserve: int
    heap_commit: int
    loader_flags: int
    directory_count: int


@dataclasses.dataclass(frozen=True)
class Image:
    """The NT headers of a program."""

    machine: int
    timestamp: int
    flags: int
    optional: Optional
    directories: tuple[tuple[int, int], ...]
    """Address relative to the image's base (a file offset for `CERTIFICATE`), and size."""
    sections: tuple[Section, ...]

    def pack(self) -> bytes:
        """The bytes of the NT headers, without COFF symbols."""
        size = _OPTIONAL.size + len(self.directories) * _DIRECTORY.size
        count = len(self.sections)
        parts = [
            _COFF.pack(b"PE\0\0", self.machine, count, self.timestamp, 0, 0, size, self.flags),
            _OPTIONAL.pack(*dataclasses.astuple(self.optional)),
            *(_DIRECTORY.pack(*directory) for directory in self.directories),
            *(_SECTION.pack(*dataclasses.astuple(section)) for section in self.sections),
        ]
        return b"".join(parts)


def place(image: bytes) -> int:
    """The offset of the NT headers, as the DOS header states it.

    Raises:
        ValueError: the image has no DOS header.
    """
    if len(image) < LFANEW + 4 or image[:2] != b"MZ":
        raise ValueError("no MZ magic")
    return int.from_bytes(image[LFANEW : LFANEW + 4], "little")


def parse(image: bytes) -> Image:
    """Read the NT headers of an image that begins with a DOS header.

    Raises:
        ValueError: it is not a 64-bit Windows program; the message says why.
    """
    return nt_headers(image, place(image))


def nt_headers(image: bytes, at: int) -> Image:
    """Read the NT headers at this offset.

    Raises:
        ValueError: they are not those of a 64-bit Windows program; the message says why.
    """
    try:
        signature, machine, count, timestamp, _, _, size, flags = _COFF.unpack_from(image, at)
        if signature != b"PE\0\0":
            raise ValueError("no PE signature where e_lfanew points")
        at += _COFF.size
        optional = Optional(*_OPTIONAL.unpack_from(image, at))
        if optional.magic != PE32_PLUS:
            raise ValueError(f"not PE32+: the optional header's magic is {optional.magic:#x}")
        if size != _OPTIONAL.size + optional.directory_count * _DIRECTORY.size:
            raise ValueError(f"SizeOfOptionalHeader is {size}")
        directories = tuple(
            _DIRECTORY.unpack_from(image, at + _OPTIONAL.size + i * _DIRECTORY.size)
            for i in range(optional.directory_count)
        )
        sections = tuple(
            Section(*_SECTION.unpack_from(image, at + size + i * _SECTION.size))
            for i in range(count)
        )
    except struct.error:
        raise ValueError("PE headers are cut off") from None
    return Image(machine, timestamp, flags, optional, directories, sections)


def embed(image: Image, *, at: int, headers_at: int) -> bytes:
    """The NT headers of a program that is part of a larger file.

    Nothing moves in memory, so nothing inside the sections changes: the larger file's start takes
    the place of the image's headers, in front of the first section.

    Args:
        at: where the program starts in the larger file, a multiple of its file alignment.
        headers_at: where the new NT headers will be, in bytes from the larger file's start.

    Raises:
        ValueError: there is no room before the first section.
    """
    align = image.optional.file_alignment
    size = -(-(headers_at + len(image.pack())) // align) * align
    room = min((section.address for section in image.sections), default=0)
    if size > room:
        raise ValueError(f"its first section is at {room:#x}, inside headers of {size:#x} bytes")
    directories = [
        (0, 0) if i in (CERTIFICATE, DEBUG) else directory
        for i, directory in enumerate(image.directories)
    ]
    sections = [
        dataclasses.replace(s, raw_offset=s.raw_offset + at if s.raw_size else 0)
        for s in image.sections
    ]
    return dataclasses.replace(
        image,
        optional=dataclasses.replace(image.optional, headers_size=size, checksum=0),
        directories=tuple(directories),
        sections=tuple(sections),
    ).pack()
