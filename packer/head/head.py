"""The first bytes of a bundle, up to where its ZIP begins."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from packer.head import elf, pe
from packer.head.script import BLOCK, Placed, render, render_cmd
from runtime.machine.head import APE_CMD

UNIX_MAGIC = b"jartsr='\n'\n"
"""Magic of an APE file without a Windows program; in a shell, an empty assignment."""

HEAD_SIZE = BLOCK

CMD_END = 0x1800
"""End of the scripts in files that Windows starts by cmd.exe; the ELF headers follow."""

NT_HEADERS = 0x0D78
"""End of the script, and offset of the NT headers in files for Windows.

Windows checks the signatures of programs only if these headers end within the first page. The value
makes e_lfanew an `x`, a carriage return and two NULs in the text that shells read.
"""
PAGE = 4096
"""Offset of the ELF headers for the APE loader, which no shell reads."""
TABLES_END = 8192
"""End of the ELF program header tables, and of the bytes in which loaders find `printf '`."""

_WINDOWS_STUB = "windows-x86_64"
_WINDOWS_GUEST = "windows-aarch64"


def _dos_header() -> bytes:
    """64 bytes that are a DOS header for Windows, and the start of an assignment for a shell.

    Windows uses only the first and last field. Older readers want e_lfarlc, at 0x18, to be 0x40 or
    more: `@@` is, without another NUL in the text.
    """
    text = b"MZqFpD='\nllamapack file\n@@ is read by shells and by Windows\n"
    return text.ljust(pe.LFANEW) + struct.pack("<I", NT_HEADERS)


def printf(header: bytes) -> bytes:
    """The text in which the APE loader finds an ELF header: letters, and octal escapes."""
    letters = (chr(b) if b < 0x80 and chr(b).isalpha() else f"\\{b:03o}" for b in header)
    return f"printf '{''.join(letters)}'\n".encode("ascii")


def _cover(program: elf.Program) -> elf.Segment:
    """The segment that maps the program headers, as the kernel demands.

    It is far below the program's own segments: the APE loader merges segments that touch.
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


def _elf_part(stubs: Sequence[Placed], start: int) -> bytes:
    """The bytes from `start` to `TABLES_END`: ELF headers as text, and program header tables."""
    # The headers contain the tables' offsets, and the text's length depends on their digits: so the
    # tables end at a fixed offset instead of following the text.
    text = tables = b""
    for stub in reversed(stubs):
        program = elf.parse(stub.data, stub.data)
        count = 1 + sum(s.type not in (elf.PT_NULL, elf.PT_PHDR) for s in program.segments)
        table_at = TABLES_END - len(tables) - count * elf.SEGMENT_SIZE
        new, table = elf.embed(program, at=stub.offset, table_at=table_at, extra=[_cover(program)])
        text = printf(new.header()) + text
        tables = table + tables
    return text + tables.rjust(TABLES_END - start - len(text), b"\0")


def _nt_headers(stubs: Sequence[Placed]) -> bytes:
    """The NT headers of the Windows stub, or no bytes.

    Raises:
        ValueError: they are too long.
    """
    for stub in stubs:
        if stub.target == _WINDOWS_STUB:
            headers = pe.embed(pe.parse(stub.data), at=stub.offset, headers_at=NT_HEADERS)
            if NT_HEADERS + len(headers) >= PAGE:
                raise ValueError("the Windows stub has too many sections")
            return headers
    return b""


def build_head(stubs: Mapping[str, bytes], *, cmd: bool = False) -> bytes:
    """The head, exactly 64 KiB, and behind it the stubs, each on a 64 KiB boundary.

    The same stubs give the same bytes, in any order.

    Args:
        stubs: the result of `build_stub` for each target. The stub for windows-aarch64 is left out:
            a file has one set of PE headers, and Windows on Arm emulates the x86-64 stub.
        cmd: whether those for Windows are in the archive instead, for a part that cmd.exe reads.

    Raises:
        ValueError: a stub for Linux is not an ELF program; the stub for Windows is not a PE32+
            program with few sections; windows-aarch64 comes without windows-x86_64; the script is
            too long.
    """
    if _WINDOWS_GUEST in stubs and _WINDOWS_STUB not in stubs:
        raise ValueError(f"{_WINDOWS_GUEST} starts through {_WINDOWS_STUB}, which is missing")
    windows = {
        name: data for name, data in stubs.items() if name in (_WINDOWS_STUB, _WINDOWS_GUEST)
    }
    placed = _place({k: v for k, v in stubs.items() if not cmd or k not in windows})
    nt_headers = _nt_headers(placed)
    magic, ending, limit = UNIX_MAGIC, ".exe", NT_HEADERS
    if cmd:
        magic, ending, limit = APE_CMD + render_cmd(windows) + b"'\n", ".cmd", CMD_END
    elif nt_headers:
        magic = _dos_header() + b"\n'\n#'\"\n"
    text = magic + render(placed, sorted(stubs), ending=ending)
    if len(text) > limit:
        raise ValueError(f"the start script has {len(text)} bytes, {len(text) - limit} too many")
    head = (text.ljust(limit, b"\0") + nt_headers).ljust(PAGE, b"\0")
    head += _elf_part([stub for stub in placed if stub.target.startswith("linux-")], len(head))
    return head.ljust(HEAD_SIZE, b"\0") + b"".join(
        stub.data.ljust(stub.blocks * BLOCK, b"\0") for stub in placed
    )
