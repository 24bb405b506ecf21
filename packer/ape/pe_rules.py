"""The rules that a file must keep for Windows to start it as a program.

Source: Microsoft's "PE Format". From LIEF's `check_layout`: the kernel wants sections right behind
the headers and without gaps; code integrity wants the headers to end within the first page and to
begin in the first half of SectionAlignment.
"""

from __future__ import annotations

from collections.abc import Iterator

from packer.ape.rules import Broken
from packer.head import pe

SECTIONS_MAX = 96
PAGE = 4096
BASE_ALIGNMENT = 65536


def _up(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment


def _power_of_two(number: int) -> bool:
    return number > 0 and number & (number - 1) == 0


def _check_header(image: pe.Image, place: int) -> Iterator[Broken]:
    header = image.optional
    if place % 8:
        yield _broken("pe-lfanew", "e_lfanew is not a multiple of 8")
    if image.machine != pe.AMD64:
        yield _broken("pe-machine", f"machine {image.machine:#x} is not x86-64")
    if image.flags & (pe.EXECUTABLE_IMAGE | pe.DLL) != pe.EXECUTABLE_IMAGE:
        yield _broken("pe-program", f"Characteristics are {image.flags:#x}")
    if image.optional.image_base % BASE_ALIGNMENT:
        yield _broken("pe-image-base", "ImageBase is not a multiple of 64 KiB")
    if not (_power_of_two(header.file_alignment) and 512 <= header.file_alignment <= 65536):
        yield _broken("pe-file-alignment", f"FileAlignment is {header.file_alignment}")
    if header.headers_size % max(header.file_alignment, 1):
        yield _broken("pe-file-alignment", "SizeOfHeaders is not a multiple of FileAlignment")
    end = place + len(image.pack())
    if header.headers_size < end:
        yield _broken("pe-headers-size", "SizeOfHeaders does not reach the headers' end")
    if end >= PAGE:
        yield _broken(
            "pe-signatures",
            "the headers do not end within the first page, where signatures are checked",
        )
    if 2 * place >= header.section_alignment:
        yield _broken(
            "pe-signatures",
            "e_lfanew is not in the first half of SectionAlignment, so signatures are not checked",
        )
    if header.checksum:
        yield _broken("pe-checksum", "CheckSum is that of another file")
    for number in (pe.CERTIFICATE, pe.DEBUG):
        if image.directories[number : number + 1] not in ((), ((0, 0),)):
            yield _broken("pe-file-offsets", f"data directory {number} contains file offsets")


def _check_sections(image: pe.Image) -> Iterator[Broken]:
    header = image.optional
    align = header.section_alignment
    if not _power_of_two(align) or align < max(PAGE, header.file_alignment):
        yield _broken("pe-section-alignment", f"SectionAlignment is {align}")
        return
    if not 1 <= len(image.sections) <= SECTIONS_MAX:
        yield _broken("pe-section-count", f"{len(image.sections)} sections")
    end = _up(header.headers_size, align)
    for i, section in enumerate(image.sections):
        where = f"section {i}"
        if section.address != end:
            yield _broken(
                "pe-section-order", f"is at {section.address:#x} in memory, not at {end:#x}", where
            )
        if section.raw_size and section.raw_offset % max(header.file_alignment, 1):
            yield _broken(
                "pe-file-alignment",
                "its place in the file is not a multiple of FileAlignment",
                where,
            )
        if section.raw_size and section.raw_offset < header.headers_size:
            yield _broken("pe-overlap", "overlaps the headers", where)
        if section.flags & pe.EXECUTE and section.flags & pe.WRITE:
            yield _broken("pe-write-execute", "may be written and executed", where)
        end = section.address + _up(section.virtual_size or section.raw_size, align)
    if header.image_size != end:
        yield _broken("pe-image-size", f"SizeOfImage is {header.image_size:#x}, not {end:#x}")
    code = [s for s in image.sections if s.flags & pe.EXECUTE]
    if not any(s.address <= header.entry < s.address + s.virtual_size for s in code):
        yield _broken("pe-entry", "the entry point is not in an executable section")
    for i, (address, size) in enumerate(image.directories):
        if size and not any(
            s.address <= address and address + size <= s.address + _up(s.virtual_size, align)
            for s in image.sections
        ):
            yield _broken("pe-directories", f"data directory {i} is not in a section")


def check_image(image: pe.Image, place: int) -> list[Broken]:
    """List the rules that NT headers at `place` of their file break."""
    return [*_check_header(image, place), *_check_sections(image)]


def _broken(rule: str, what: str, section: str = "") -> Broken:
    return Broken(rule, what, f"Windows: {section}" if section else "Windows")
