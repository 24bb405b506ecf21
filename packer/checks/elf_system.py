"""How each system knows its own ELF programs: interpreter, EI_OSABI, notes."""

from __future__ import annotations

import struct

from packer.checks.elf_notes import notes
from packer.checks.systems import BinaryKind, System
from packer.head.elf import PT_INTERP, Program

_EI_OSABI = 7
_SYSV = 0
_IDENT = 1
"""The type of the notes of all BSDs."""


def broken(where: System, kind: BinaryKind, program: Program, data: bytes) -> list[str]:
    """The rules of this kind that one file breaks."""
    problems = []
    if data[_EI_OSABI] not in (_SYSV, where.system.osabi):
        problems.append(f"is for another system (EI_OSABI is {data[_EI_OSABI]})")
    interpreters = [
        data[s.offset : s.offset + s.filesz].rstrip(b"\0").decode("latin-1")
        for s in program.segments
        if s.type == PT_INTERP
    ]
    if kind is BinaryKind.PROGRAM and not where.static:
        if len(interpreters) != 1 or interpreters[0] not in where.interpreters:
            have = ", ".join(f"`{path}`" for path in interpreters) or "missing"
            problems.append(f"its interpreter is {have}, not `{where.interpreters[0]}`")
    elif interpreters:
        problems.append(f"has an interpreter, `{interpreters[0]}`")
    if kind is BinaryKind.PROGRAM and where.system.note:
        problems += _ident(where.system.note, program, data, first=where.system.note_first)
    return problems


def _ident(note: tuple[str, int, int], program: Program, data: bytes, *, first: bool) -> list[str]:
    vendor, least, end = note
    try:
        every = list(notes(program, data))
    except ValueError as error:
        return [str(error)]
    looked_at = every[:1] if first else every
    found = [contents for name, kind, contents in looked_at if (name, kind) == (vendor, _IDENT)]
    if not found or len(found[0]) != 4:
        return [f"has no note that says that it is for {vendor}"]
    version = struct.unpack("<I", found[0])[0]
    if not least <= version < end:
        return [f"its note says {vendor} {version}, not {least} to {end - 1}"]
    return []
