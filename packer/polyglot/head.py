"""The first bytes of a bundle, up to where its ZIP begins."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from packer.polyglot import elf, pe
from packer.polyglot.script import BLOCK, Placed, render

UNIX_MAGIC = b"jartsr='\n'\n"
"""Makes the file an APE of the kind without Windows, and to a shell an empty assignment."""

HEAD_SIZE = BLOCK
TABLES_END = 8192
"""Where the part ends in which the APE loader looks for `printf '`: script and ELF tables."""

NT_HEADERS = 0x2020
"""Behind what shells read. In what they do read, e_lfanew so becomes two blanks and two NULs."""

_WINDOWS_STUB = "windows-x86_64"
_WINDOWS_GUEST = "windows-aarch64"


def _dos_header() -> bytes:
    """64 bytes that Windows takes for a DOS header, and a shell for the start of an assignment.

    Windows uses its first and last field alone. Older readers demand that e_lfarlc, at 0x18, be
    0x40 or more; 0x4040 is, without one more NUL for shells to stumble over.
    """
    text = b"MZqFpD='\nllamapack file\n@@ is read by shells and by Windows\n"
    return text.ljust(pe.LFANEW) + struct.pack("<I", NT_HEADERS)


def _cover(program: elf.Program) -> elf.Segment:
    """The segment that maps the program headers: the kernel wants them mapped.

    It lies far below the program's own segments: the APE loader merges what touches.
    """
    address = min(s.vaddr for s in program.loads) - 16 * BLOCK
    return elf.Segment(
        elf.PT_LOAD, elf.PF_R, 0, address, address, TABLES_END, TABLES_END, align=BLOCK
    )


def _place(stubs: Mapping[str, bytes]) -> list[Placed]:
    placed, offset = [], HEAD_SIZE
    for target in sorted(stubs):
        if target != _WINDOWS_GUEST:
            placed.append(Placed(target, offset, stubs[target]))
            offset += placed[-1].blocks * BLOCK
    return placed


def _elf_parts(stubs: Sequence[Placed]) -> tuple[dict[str, bytes], bytes]:
    """ELF headers by target, and the program header tables, which end at `TABLES_END`."""
    # The headers name the tables' places, and the script's length depends on their digits: so the
    # tables end at a fixed place instead of following it.
    headers: dict[str, bytes] = {}
    tables = b""
    for stub in reversed(stubs):
        program = elf.parse(stub.data, stub.data)
        count = 1 + sum(s.type not in (elf.PT_NULL, elf.PT_PHDR) for s in program.segments)
        table_at = TABLES_END - len(tables) - count * elf.SEGMENT_SIZE
        new, table = elf.embed(program, at=stub.offset, table_at=table_at, extra=[_cover(program)])
        headers[stub.target] = new.header()
        tables = table + tables
    return dict(reversed(headers.items())), tables


def _nt_headers(stubs: Sequence[Placed]) -> bytes:
    """The NT headers of the Windows stub, if there is one."""
    for stub in stubs:
        if stub.target == _WINDOWS_STUB:
            return pe.embed(pe.parse(stub.data), at=stub.offset, headers_at=NT_HEADERS)
    return b""


def build_head(stubs: Mapping[str, bytes]) -> bytes:
    """Lay out script, headers and stubs.

    Args:
        stubs: the stub of each target, as `build_stub` made it. That of windows-aarch64 is left
            out: a file has one set of PE headers, and Windows on Arm emulates the x86-64 stub.

    Returns:
        the head, exactly 64 KiB, then the stubs, each on a 64 KiB boundary: the ZIP comes next. The
        same stubs give the same bytes, in whatever order they come.

    Raises:
        ValueError: if a stub for Linux is no ELF program, or that for Windows no PE32+ program with
            room for headers (see `pe_link`); if windows-aarch64 comes without windows-x86_64; if
            the script has become too long.
    """
    if _WINDOWS_GUEST in stubs and _WINDOWS_STUB not in stubs:
        raise ValueError(f"{_WINDOWS_GUEST} starts through {_WINDOWS_STUB}, which is missing")
    placed = _place(stubs)
    headers, tables = _elf_parts([stub for stub in placed if stub.target.startswith("linux-")])
    nt_headers = _nt_headers(placed)

    magic = _dos_header() + b"\n'\n#'\"\n" if nt_headers else UNIX_MAGIC
    text = magic + render(placed, headers, sorted(stubs))
    room = TABLES_END - len(tables)
    if len(text) > room:
        raise ValueError(f"the start script has {len(text)} bytes, {len(text) - room} too many")
    head = text.ljust(room, b"\0") + tables
    head = head.ljust(NT_HEADERS, b"\0") + nt_headers
    return head.ljust(HEAD_SIZE, b"\0") + b"".join(
        stub.data.ljust(stub.blocks * BLOCK, b"\0") for stub in placed
    )
