"""How each system knows its own ELF programs: interpreter, EI_OSABI, notes."""

from __future__ import annotations

import struct

from packer.engine.structure.elf_notes import notes
from packer.engine.structure.systems import Kind, System
from packer.polyglot.elf import PT_INTERP, Program

_EI_OSABI = 7
_SYSV, _LINUX, _FREEBSD = 0, 3, 9
_OSABI = {
    # FreeBSD's kernel looks at the note first, and at EI_OSABI only where there is none
    # (sys/kern/imgact_elf.c, `get_brandinfo`). zig writes the note and no EI_OSABI.
    "freebsd": (_SYSV, _FREEBSD),
    # What GNU extensions such as IFUNC set.
    "linux": (_SYSV, _LINUX),
}
_VENDOR = {"freebsd": "FreeBSD", "netbsd": "NetBSD", "openbsd": "OpenBSD"}
_IDENT = 1
"""The type of all three notes."""
_VERSIONS = {
    # `__FreeBSD_version` of 14.x.
    "freebsd": (1_400_000, 1_500_000),
    # `__NetBSD_Version__` of 10.x: MMmmrrpp00.
    "netbsd": (1_000_000_000, 1_100_000_000),
    # OpenBSD writes no version.
    "openbsd": (0, 1),
}


def broken(where: System, kind: Kind, program: Program, data: bytes) -> list[str]:
    """The rules of this kind that one file breaks."""
    problems = []
    if data[_EI_OSABI] not in _OSABI.get(where.os, (_SYSV,)):
        problems.append(f"is for another system (EI_OSABI is {data[_EI_OSABI]})")
    interpreters = [
        data[s.offset : s.offset + s.filesz].rstrip(b"\0").decode("latin-1")
        for s in program.segments
        if s.type == PT_INTERP
    ]
    if kind is Kind.PROGRAM and not where.static:
        if len(interpreters) != 1 or interpreters[0] not in where.interpreters:
            have = ", ".join(f"`{path}`" for path in interpreters) or "missing"
            problems.append(f"its interpreter is {have}, not `{where.interpreters[0]}`")
    elif interpreters:
        problems.append(f"has an interpreter, `{interpreters[0]}`")
    if kind is Kind.PROGRAM and where.os in _VENDOR:
        problems += _ident(where.os, program, data)
    return problems


def _ident(os: str, program: Program, data: bytes) -> list[str]:
    vendor = _VENDOR[os]
    try:
        every = list(notes(program, data))
    except ValueError as error:
        return [str(error)]
    # OpenBSD's kernel looks no further than the first (sys/kern/exec_elf.c, `elf_os_pt_note`).
    looked_at = every[:1] if os == "openbsd" else every
    found = [contents for name, kind, contents in looked_at if (name, kind) == (vendor, _IDENT)]
    if not found or len(found[0]) != 4:
        return [f"has no note that says that it is for {vendor}"]
    version = struct.unpack("<I", found[0])[0]
    first, end = _VERSIONS[os]
    if not first <= version < end:
        return [f"its note says {vendor} {version}, not {first} to {end - 1}"]
    return []
