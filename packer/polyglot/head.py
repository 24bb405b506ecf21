"""The first bytes of a bundle, up to where its ZIP begins."""

from __future__ import annotations

from collections.abc import Mapping

from packer.polyglot import elf
from packer.polyglot.script import BLOCK, Placed, render

MAGIC = b"jartsr='\n'\n"
"""Makes the file an APE of the kind without Windows, and to a shell an empty assignment."""

HEAD_SIZE = BLOCK
TABLES_END = 4096
"""FreeBSD wants program headers in the first page, and one small segment then covers them all."""


def _cover(program: elf.Program) -> elf.Segment:
    """The segment that maps the program headers: the kernel wants them mapped.

    It lies far below the program's own segments: the APE loader merges what touches.
    """
    address = min(s.vaddr for s in program.loads) - 16 * BLOCK
    return elf.Segment(
        elf.PT_LOAD, elf.PF_R, 0, address, address, TABLES_END, TABLES_END, align=BLOCK
    )


def build_head(stubs: Mapping[str, bytes]) -> bytes:
    """Lay out script, ELF headers and stubs.

    Args:
        stubs: the stub of each target, as `build_stub` made it.

    Returns:
        the head, exactly 64 KiB, then the stubs, each on a 64 KiB boundary: the ZIP comes next. The
        same stubs give the same bytes, in whatever order they come.

    Raises:
        ValueError: if a stub is no static ELF program, or the script has become too long.
    """
    placed, offset = [], HEAD_SIZE
    for target in sorted(stubs):
        data = stubs[target] + bytes(-len(stubs[target]) % BLOCK)
        placed.append(Placed(target, offset, data))
        offset += len(data)

    # The script names the tables' places, and its length depends on their digits: so the tables end
    # at a fixed place instead of following it.
    headers: dict[str, bytes] = {}
    tables = b""
    for stub in reversed(placed):
        program = elf.parse(stub.data, stub.data)
        count = 1 + sum(s.type not in (elf.PT_NULL, elf.PT_PHDR) for s in program.segments)
        table_at = TABLES_END - len(tables) - count * elf.SEGMENT_SIZE
        new, table = elf.embed(program, at=stub.offset, table_at=table_at, extra=[_cover(program)])
        headers[stub.target] = new.header()
        tables = table + tables

    text = MAGIC + render(placed, dict(reversed(headers.items())))
    room = TABLES_END - len(tables)
    if len(text) > room:
        raise ValueError(f"the start script has {len(text)} bytes, {len(text) - room} too many")
    head = text + bytes(room - len(text)) + tables
    return head + bytes(HEAD_SIZE - len(head)) + b"".join(stub.data for stub in placed)
