"""The rules that a file must keep for the APE loader to start it.

Source: cosmopolitan's `ape/specification.md` and `ape/loader.c`; what these do not say but a musl
program, arm64 or the kernel needs has its reason in its message.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from packer.polyglot import elf, pe_rules

MAGICS = (b"MZqFpD='", b"jartsr='", b"APEDBG='")
SCANNED = 8192
"""Bytes at the start of the file in which the loader looks for `printf '`."""
SEGMENTS_MAX = 18
PAGE_SIZES = (4096, 16384, 65536)
LOADER = range(0x7F000000, 0x7F003000)
"""Where the loader itself lies."""


def printed(head: bytes) -> Iterator[bytes]:
    """Decode each `printf '…'` in the scanned part, as the loader does."""
    text = head[:SCANNED]
    at = text.find(b"printf '")
    while at >= 0:
        end = text.find(b"'", at + 8)
        body, out, i = text[at + 8 : end if end >= 0 else len(text)], bytearray(), 0
        while i < len(body):
            digits = 0
            if body[i : i + 1] == b"\\":
                while digits < 3 and body[i + 1 + digits : i + 2 + digits] in b"01234567":
                    if i + 1 + digits >= len(body):
                        break
                    digits += 1
            out.append(int(body[i + 1 : i + 1 + digits], 8) & 255 if digits else body[i])
            i += 1 + digits
        yield bytes(out)
        at = text.find(b"printf '", at + 8)


def _pages(segment: elf.Segment, page: int) -> range:
    """The pages that the loader maps for a segment."""
    return range(segment.vaddr // page, -(-(segment.vaddr + segment.memsz) // page))


def _overlap(a: range, b: range) -> bool:
    return max(a.start, b.start) < min(a.stop, b.stop)


def _check_page_size(program: elf.Program, page: int) -> Iterator[str]:
    loads = program.loads
    for i, s in enumerate(loads):
        where = f"segment {i} with pages of {page}"
        if s.vaddr % page != s.offset % page:
            yield f"{where}: p_vaddr is not congruent to p_offset"
        if _overlap(_pages(s, page), range(LOADER.start // page, -(-LOADER.stop // page))):
            yield f"{where}: overlaps the loader"
        yield from (
            f"{where}: overlaps segment {j}"
            for j in range(i + 1, len(loads))
            if _overlap(_pages(s, page), _pages(loads[j], page))
        )
    for i, (s, t) in enumerate(pairwise(loads)):
        # Its test is unsigned: a second segment further on in file or memory is never merged.
        file_gap = -(-(s.offset + s.filesz) // page) - t.offset // page
        memory_gap = -(-(s.vaddr + s.memsz) // page) - t.vaddr // page
        if s.flags == t.flags and 0 <= file_gap <= 1 and 0 <= memory_gap <= 1:
            yield f"segments {i} and {i + 1} with pages of {page}: would be merged"


_FORBIDDEN = {
    elf.PT_INTERP: "PT_INTERP",
    elf.PT_DYNAMIC: "PT_DYNAMIC",
    elf.PT_PHDR: "PT_PHDR, which makes musl crash under the loader",
}


def _check_segment(segment: elf.Segment) -> Iterator[str]:
    if segment.filesz > segment.memsz:
        yield "p_filesz exceeds p_memsz"
    if segment.align < 0x10000:
        yield "p_align is below 64 KiB"
    if segment.flags & elf.PF_X and segment.flags & elf.PF_W:
        yield "may be written and executed"


def _check_program(program: elf.Program, head: bytes) -> Iterator[str]:
    if program.type not in (2, 3):
        yield "e_type is neither ET_EXEC nor ET_DYN"
    if program.flags != elf.KEEP_ARGV0:
        yield "e_flags does not ask for the caller's argv[0]"
    if len(program.segments) > SEGMENTS_MAX:
        yield f"more than {SEGMENTS_MAX} program headers"
    for s in program.segments:
        if s.type in _FORBIDDEN:
            yield _FORBIDDEN[s.type]
    for i, s in enumerate(program.loads):
        yield from (f"segment {i}: {rule}" for rule in _check_segment(s))
    code = [s for s in program.loads if s.flags & elf.PF_X]
    if not any(s.vaddr <= program.entry < s.vaddr + s.memsz for s in code):
        yield "e_entry is in no executable segment"
    end = program.phoff + len(program.segments) * elf.SEGMENT_SIZE
    if end > SCANNED:
        yield f"program headers lie past the first {SCANNED} bytes"
    if not any(s.offset <= program.phoff and end <= s.offset + s.filesz for s in program.loads):
        yield "program headers lie in no PT_LOAD, which the kernel wants"
    for page in PAGE_SIZES:
        yield from _check_page_size(program, page)


def check(head: bytes) -> list[str]:
    """List the rules that the file beginning with `head` breaks.

    Args:
        head: the start of the file, with program header tables and NT headers in it.

    Returns:
        an empty list if the loader will take it, and so will Windows where the magic is `MZ`.
    """
    broken = []
    if head[:8] not in MAGICS:
        broken.append("no APE magic")
    elif head[:2] == b"MZ":
        broken += [f"Windows: {rule}" for rule in pe_rules.check(head)]
    seen: set[int] = set()
    for header in printed(head):
        if len(header) < elf.HEADER_SIZE or header[:4] != b"\x7fELF":
            broken.append("a printf that is no ELF header")
            continue
        try:
            program = elf.parse(header, head)
        except ValueError as problem:
            broken.append(str(problem))
            continue
        if program.machine in seen:
            broken.append(f"machine {program.machine}: a second header, which is never reached")
        seen.add(program.machine)
        broken += [f"machine {program.machine}: {rule}" for rule in _check_program(program, head)]
    return broken if seen else [*broken, "no ELF header"]
