"""The rules that a file must keep for the APE loader to start its ELF programs.

Sources: cosmopolitan's `ape/specification.md` and `ape/loader.c`. The messages give the reason for
rules that musl, arm64 or the kernel adds.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence

from packer.ape.rules import Broken
from packer.head import elf

SCANNED = 8192
"""Bytes at the start of the file in which the loader looks for `printf '`."""
SEGMENTS_MAX = 18
PAGE_SIZES = {elf.EM_X86_64: (4096,), elf.EM_AARCH64: (4096, 16384, 65536)}
"""Sizes that systems use, by machine; bytes."""
ADDRESSES = {elf.EM_X86_64: 1 << 47, elf.EM_AARCH64: 1 << 48}
"""End of the addresses of programs, by machine."""
LOADER = range(0x7F000000, 0x7F003000)
"""The addresses of the loader itself."""

_PLAIN = re.compile(rb"(?:[ -$&-\[\]-~]|\\[0-7]{1,3}+)*+")
"""Text that a shell's printf and the loader decode to the same bytes; it contains no `%`."""


def printed(head: bytes) -> Iterator[bytes]:
    """Decode each `printf '…'` in the scanned part, as the loader does."""
    return map(_decoded, _texts(head))


def _texts(head: bytes) -> Iterator[bytes]:
    text = head[:SCANNED]
    at = text.find(b"printf '")
    while at >= 0:
        end = text.find(b"'", at + 8)
        yield text[at + 8 : end if end >= 0 else len(text)]
        at = text.find(b"printf '", at + 8)


def _decoded(body: bytes) -> bytes:
    out, i = bytearray(), 0
    while i < len(body):
        digits = 0
        if body[i : i + 1] == b"\\":
            while digits < 3 and body[i + 1 + digits : i + 2 + digits] in b"01234567":
                if i + 1 + digits >= len(body):
                    break
                digits += 1
        out.append(int(body[i + 1 : i + 1 + digits], 8) & 255 if digits else body[i])
        i += 1 + digits
    return bytes(out)


def _pages(segment: elf.Segment, page: int) -> range:
    """The pages that the loader maps for a segment."""
    return range(segment.vaddr // page, -(-(segment.vaddr + segment.memsz) // page))


def _overlap(a: range, b: range) -> bool:
    return max(a.start, b.start) < min(a.stop, b.stop)


def _merges(s: elf.Segment, t: elf.Segment, page: int) -> bool:
    """Whether the loader merges two segments that are neighbours in the table."""
    if (s.type, t.type) != (elf.PT_LOAD, elf.PT_LOAD) or (s.flags ^ t.flags) & 7:
        return False
    # Its test is unsigned: a second segment further on in file or memory is never merged.
    file_gap = -(-(s.offset + s.filesz) // page) - t.offset // page
    memory_gap = -(-(s.vaddr + s.memsz) // page) - t.vaddr // page
    return 0 <= file_gap <= 1 and 0 <= memory_gap <= 1


def _is_one_piece(s: elf.Segment, t: elf.Segment) -> bool:
    """Whether the merged segment has the same contents in memory as the two."""
    return (
        t.vaddr - s.vaddr == t.offset - s.offset >= 0
        and s.filesz == s.memsz
        and t.vaddr + t.memsz >= s.vaddr + s.memsz
    )


def _merged(
    segments: Sequence[elf.Segment], page: int
) -> tuple[list[elf.Segment], list[tuple[int, int]]]:
    """The segments that the loader maps, in its order, and the pairs that it merges wrongly.

    The pairs are numbers of mapped segments.
    """
    found: list[elf.Segment] = []
    harmed = []
    number = last = -1
    for t in segments:
        if t.type == elf.PT_LOAD:
            number += 1
            if not t.memsz:
                continue  # The loader drops it.
        if found and _merges(found[-1], t, page):
            s = found[-1]
            if _is_one_piece(s, t):
                sizes = {"filesz": t.offset + t.filesz - s.offset}
                sizes["memsz"] = t.vaddr + t.memsz - s.vaddr
                found[-1] = dataclasses.replace(s, **sizes)
                continue
            harmed.append((last, number))
        found.append(t)
        last = number
    return [s for s in found if s.type == elf.PT_LOAD], harmed


def _check_page_size(program: elf.Program, page: int) -> Iterator[Broken]:
    loads, harmed = _merged(program.segments, page)

    def broken(rule: str, i: int, what: str) -> Broken:
        name = "elf-64k-pages" if page > 16384 else rule
        return Broken(name, what, f"segment {i} with pages of {page}")

    for i, s in enumerate(loads):
        if s.vaddr % page != s.offset % page:
            yield broken("elf-congruent", i, "p_vaddr is not congruent to p_offset")
        if _overlap(_pages(s, page), range(LOADER.start // page, -(-LOADER.stop // page))):
            yield broken("elf-overlap", i, "overlaps the loader")
        yield from (
            broken("elf-overlap", i, f"overlaps segment {j}")
            for j in range(i + 1, len(loads))
            if _overlap(_pages(s, page), _pages(loads[j], page))
        )
    for i, j in harmed:
        yield broken("elf-merge", i, f"would be merged with segment {j}, with other bytes")


_FORBIDDEN = {
    elf.PT_INTERP: ("elf-static", "PT_INTERP"),
    elf.PT_DYNAMIC: ("elf-static", "PT_DYNAMIC"),
    elf.PT_PHDR: ("elf-phdr", "PT_PHDR, which makes musl crash under the loader"),
}


def _check_segment(segment: elf.Segment, end: int, where: str) -> Iterator[Broken]:
    if segment.filesz > segment.memsz:
        yield Broken("elf-sizes", "p_filesz exceeds p_memsz", where)
    if segment.vaddr + segment.memsz > end:
        yield Broken("elf-address-space", f"ends behind {end:#x}", where)
    if segment.align < 0x10000:
        yield Broken("elf-align", "p_align is below 64 KiB", where)
    if segment.flags & elf.PF_X and segment.flags & elf.PF_W:
        yield Broken("elf-write-execute", "may be written and executed", where)


def check_program(program: elf.Program) -> Iterator[Broken]:
    """The rules that one of the printed headers, with its program headers, breaks."""
    where = f"machine {program.machine}"
    for one in _check_program(program):
        yield Broken(one.rule, one.what, f"{where}: {one.where}" if one.where else where)


def _check_program(program: elf.Program) -> Iterator[Broken]:
    if program.type not in (2, 3):
        yield Broken("elf-type", "e_type is neither ET_EXEC nor ET_DYN")
    if program.flags != elf.KEEP_ARGV0:
        yield Broken("elf-argv0", "e_flags does not ask for the caller's argv[0]")
    for s in program.segments:
        if s.type in _FORBIDDEN:
            yield Broken(*_FORBIDDEN[s.type])
    code = [s for s in program.loads if s.flags & elf.PF_X]
    if not any(s.vaddr <= program.entry < s.vaddr + s.memsz for s in code):
        yield Broken("elf-entry", "e_entry is not in an executable segment")
    end = program.phoff + len(program.segments) * elf.SEGMENT_SIZE
    if end > SCANNED:
        yield Broken("elf-table-in-head", f"program headers are after the first {SCANNED} bytes")
    if not any(s.offset <= program.phoff and end <= s.offset + s.filesz for s in program.loads):
        yield Broken(
            "elf-table-mapped", "program headers are not in a PT_LOAD, which the kernel needs"
        )
    if len(program.segments) > SEGMENTS_MAX:
        yield Broken("elf-segment-count", f"more than {SEGMENTS_MAX} program headers")
        return  # Each pair of the others would be compared.
    for i, s in enumerate(program.loads):
        end = ADDRESSES.get(program.machine, 1 << 64)
        yield from _check_segment(s, end, f"segment {i}")
    for page in PAGE_SIZES.get(program.machine, (4096,)):
        yield from _check_page_size(program, page)


def read_programs(
    head: bytes, read: Callable[[int, int], bytes]
) -> tuple[list[elf.Program], list[Broken]]:
    """The programs whose headers are printed, and the rules that the headers break.

    Args:
        head: at least the first `SCANNED` bytes of the file.
        read: returns bytes of the file, for an offset and a size; fewer at its end.
    """
    programs: list[elf.Program] = []
    broken: list[Broken] = []
    for text in _texts(head):
        header = _decoded(text)
        if len(header) < elf.HEADER_SIZE or header[:4] != b"\x7fELF":
            broken.append(Broken("elf-printf", "a printf that is not an ELF header"))
            continue
        if not _PLAIN.fullmatch(text):
            broken.append(
                Broken("elf-escapes", "a printf that shells and loaders read differently")
            )
        try:
            offset, size = elf.table_place(header)
            program = elf.with_segments(header, read(offset, size))
        except ValueError as problem:
            broken.append(Broken("elf-header", str(problem)))
            continue
        if program.machine in {one.machine for one in programs}:
            what = "a second header, which is never reached"
            broken.append(Broken("elf-once", what, f"machine {program.machine}"))
        programs.append(program)
    if not programs:
        broken.append(Broken("elf-present", "no ELF header"))
    return programs, broken
