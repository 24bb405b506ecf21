"""The rules for Linux and the BSDs.

Sources: System V ABI, chapters 4 and 5; the x86-64 and AArch64 supplements for GNU properties; the
BSDs' `sys/elf_common.h` and `sys/exec_elf.h`. A rule of one system names its source at the rule.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping

import lief

from packer.checks.systems import BinaryKind, Links, System, text
from packer.head.elf import (
    EM_AARCH64,
    EM_X86_64,
    ET_EXEC,
    PF_W,
    PF_X,
    PT_DYNAMIC,
    PT_GNU_STACK,
    PT_INTERP,
    PT_OPENBSD_NOBTCFI,
    Program,
    parse,
)

lief.logging.disable()

_MACHINE = {"x86_64": EM_X86_64, "aarch64": EM_AARCH64}
_ET_DYN = 3
_EI_OSABI, _SYSV = 7, 0
_PT_NOTE, _PT_TLS = 4, 7
_BSD_IDENT = 1  # type of a note, on all BSDs
_GNU_PROPERTY_TYPE_0 = 5
_X86_FEATURES, _AARCH64_FEATURES = 0xC0000002, 0xC0000000
_LANDING_PADS = 1
"""The lowest bit is GNU_PROPERTY_X86_FEATURE_1_IBT or GNU_PROPERTY_AARCH64_FEATURE_1_BTI."""

_TAG = lief.ELF.DynamicEntry.TAG
_DF_ORIGIN, _DF_TEXTREL = 1, 4
_GLIBC = re.compile(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?")


def examine(
    where: System, name: str, kind: BinaryKind, data: bytes, own: frozenset[str]
) -> tuple[list[str], Links]:
    """The rules that one file breaks, and its links.

    Args:
        own: the names of the files beside it.
    """
    try:
        program = parse(data, data)
    except ValueError as error:
        return [f"not a 64-bit little-endian ELF file ({error})"], Links()
    problems = _header(where, kind, program) + _segments(where, program, len(data))
    # OpenBSD's loader accepts TLS segments only in files that are loaded at the start: "unsupported
    # TLS program header" (libexec/ld.so/library.c).
    types = {segment.type for segment in program.segments}
    if (where.os, kind) == ("openbsd", BinaryKind.MODULE) and _PT_TLS in types:
        problems.append("has a segment of thread-local variables (PT_TLS)")
    problems += _system(where, kind, program, data)
    if where.static:
        if PT_DYNAMIC in types:
            problems.append("is not static (PT_DYNAMIC)")
        return problems, Links()
    config = lief.ELF.ParserConfig()
    config.parse_relocations = config.parse_symtab_symbols = config.parse_overlay = False
    binary = lief.ELF.parse(data, config)
    if binary is None:
        return [*problems, "cannot be read as an ELF file"], Links()
    problems += _dynamic(where, name, kind, binary, own)
    return problems, _links(binary)


def _header(where: System, kind: BinaryKind, program: Program) -> list[str]:
    problems = []
    if program.machine != _MACHINE[where.arch]:
        problems.append(f"is for machine {program.machine}, not for {where.arch}")
    types = (ET_EXEC, _ET_DYN) if kind is BinaryKind.PROGRAM else (_ET_DYN,)
    if program.type not in types:
        problems.append(f"is of ELF type {program.type}, which no {kind.value} is")
    if kind is BinaryKind.PROGRAM and not any(
        s.vaddr <= program.entry < s.vaddr + s.memsz and s.flags & PF_X for s in program.loads
    ):
        problems.append("its entry point is not in an executable segment")
    return problems


def _segments(where: System, program: Program, size: int) -> list[str]:
    problems = []
    if not program.loads:
        problems.append("has no segment to load")
    # Linux on AArch64 may run with pages of up to 64 KiB, as RHEL 8 does.
    page = 0x10000 if (where.os, where.arch) == ("linux", "aarch64") else 0x1000
    for i, segment in enumerate(program.loads):
        if segment.offset + segment.filesz > size:
            problems.append(f"segment {i} ends after the end of the file")
        if segment.flags & PF_W and segment.flags & PF_X:
            problems.append(f"segment {i} is writable and executable")
        if segment.align < page or (segment.vaddr - segment.offset) % page:
            problems.append(f"segment {i} is not aligned to pages of {page} bytes")
    stacks = [s for s in program.segments if s.type == PT_GNU_STACK]
    if any(s.flags & PF_X for s in stacks):
        problems.append("asks for an executable stack")
    # Without the header, Linux and FreeBSD make the stack executable.
    if not stacks and where.os in ("linux", "freebsd"):
        problems.append("does not say that its stack is not executable (PT_GNU_STACK)")
    return problems


def _system(where: System, kind: BinaryKind, program: Program, data: bytes) -> list[str]:
    """How a system recognizes its programs: EI_OSABI, interpreter, note."""
    problems = []
    if data[_EI_OSABI] not in (_SYSV, where.system.osabi):
        problems.append(f"is for another system (EI_OSABI is {data[_EI_OSABI]})")
    interpreters = [
        data[s.offset : s.offset + s.filesz].rstrip(b"\0").decode("latin-1")
        for s in program.segments
        if s.type == PT_INTERP
    ]
    if kind is BinaryKind.PROGRAM and not where.static:
        if len(interpreters) != 1 or interpreters[0] not in where.target.loaders:
            have = ", ".join(f"`{path}`" for path in interpreters) or "missing"
            problems.append(f"its interpreter is {have}, not `{where.target.loaders[0]}`")
    elif interpreters:
        problems.append(f"has an interpreter, `{interpreters[0]}`")
    if kind is BinaryKind.PROGRAM and where.system.note:
        problems += _ident(where.system.note, program, data, first=where.system.note_first)
    return problems


def _ident(note: tuple[str, int, int], program: Program, data: bytes, *, first: bool) -> list[str]:
    vendor, least, end = note
    try:
        every = list(_notes(program, data))
    except ValueError as error:
        return [str(error)]
    looked_at = every[:1] if first else every
    found = [contents for name, kind, contents in looked_at if (name, kind) == (vendor, _BSD_IDENT)]
    if not found or len(found[0]) != 4:
        return [f"has no note that says that it is for {vendor}"]
    version = struct.unpack("<I", found[0])[0]
    if not least <= version < end:
        return [f"its note says {vendor} {version}, not {least} to {end - 1}"]
    return []


def _notes(program: Program, data: bytes) -> Iterator[tuple[str, int, bytes]]:
    """Name, type and contents of each note that a kernel sees: LIEF also reads those of sections.

    Raises:
        ValueError: a note is cut off.
    """
    for segment in program.segments:
        if segment.type != _PT_NOTE:
            continue
        block = data[segment.offset : segment.offset + segment.filesz]
        align, at = 8 if segment.align == 8 else 4, 0
        while at + 12 <= len(block):
            name_size, size, kind = struct.unpack_from("<III", block, at)
            start = at + 12 + name_size
            start += -start % align
            if start + size > len(block):
                raise ValueError("a note is cut off")
            name = block[at + 12 : at + 12 + name_size].rstrip(b"\0").decode("latin-1")
            yield name, kind, block[start : start + size]
            at = start + size + -(start + size) % align


def _has_landing_pads(program: Program, data: bytes) -> bool:
    """Whether the linker found all code ready for IBT (x86-64) or BTI (AArch64)."""
    wanted = _X86_FEATURES if program.machine == EM_X86_64 else _AARCH64_FEATURES
    for name, kind, contents in _notes(program, data):
        at = 0
        while (name, kind) == ("GNU", _GNU_PROPERTY_TYPE_0) and at + 12 <= len(contents):
            feature, size, value = struct.unpack_from("<III", contents, at)
            if feature == wanted and size >= 4 and value & _LANDING_PADS:
                return True
            at += 8 + size + -size % 8
    return False


def _dynamic(
    where: System, name: str, kind: BinaryKind, binary: lief.ELF.Binary, own: frozenset[str]
) -> list[str]:
    """The rules for the dynamic section: what a file wants from the loader."""
    problems = []
    flags = sum(int(e.value) for e in binary.dynamic_entries if e.tag == _TAG.FLAGS)
    if flags & _DF_TEXTREL or binary.has(_TAG.TEXTREL):
        problems.append("changes its code while it is loaded (DT_TEXTREL)")
    if kind is BinaryKind.LIBRARY:
        called = _strings(binary, lief.ELF.DynamicSharedObject)
        if called != [name]:
            problems.append(f"is called {called} inside (DT_SONAME), not `{name}`")
    if where.any_library:
        return problems
    wanted = _strings(binary, lief.ELF.DynamicEntryLibrary)
    problems += [
        f"wants `{library}`, which is neither beside it nor a library of the system"
        for library in wanted
        if library not in own and not where.has_library(library)
    ]
    if binary.has(_TAG.RPATH):
        problems.append("has DT_RPATH, which LD_LIBRARY_PATH cannot override")
    paths = _strings(binary, lief.ELF.DynamicEntryRunPath)
    if (paths or not own.isdisjoint(wanted)) and paths != ["$ORIGIN"]:
        problems.append(f"looks for libraries in {paths} (DT_RUNPATH), not in `$ORIGIN`")
    if paths and where.system.needs_origin_flag and not flags & _DF_ORIGIN:
        problems.append("its `$ORIGIN` is not expanded without DF_ORIGIN (linker: `-z origin`)")
    return problems + (_glibc(where, binary) if where.os == "linux" else [])


def _glibc(where: System, binary: lief.ELF.Binary) -> list[str]:
    versions = {
        text(auxiliary.name)
        for requirement in binary.symbols_version_requirement
        for auxiliary in requirement.get_auxiliary_symbols()
    }
    found = (_GLIBC.fullmatch(version) for version in versions)
    newest = max(((int(m[1]), int(m[2])) for m in found if m), default=(0, 0))
    if newest > where.floor:
        have = ".".join(map(str, newest))
        return [f"needs glibc {have}, which is newer than {'.'.join(map(str, where.floor))}"]
    return []


def _links(binary: lief.ELF.Binary) -> Links:
    return Links(
        tuple(_strings(binary, lief.ELF.DynamicEntryLibrary)),
        frozenset(
            ("", text(symbol.name))
            for symbol in binary.imported_symbols
            if symbol.binding != lief.ELF.Symbol.BINDING.WEAK
        ),
        frozenset(text(symbol.name) for symbol in binary.exported_symbols),
    )


def _strings(
    binary: lief.ELF.Binary,
    kind: type[
        lief.ELF.DynamicEntryLibrary | lief.ELF.DynamicEntryRunPath | lief.ELF.DynamicSharedObject
    ],
) -> list[str]:
    entries = [entry for entry in binary.dynamic_entries if isinstance(entry, kind)]
    return [
        text(entry.runpath if isinstance(entry, lief.ELF.DynamicEntryRunPath) else entry.name)
        for entry in entries
    ]


def examine_together(
    where: System, files: Mapping[str, bytes], linked: Mapping[str, Links]
) -> list[str]:
    """The rules that only several files of an engine together can break."""
    if where.format != "elf" or where.static:
        return []
    return _threads(where, linked) + landing_pads(where, files, where.executable)


def _threads(where: System, linked: Mapping[str, Links]) -> list[str]:
    """NetBSD: a program that does not link the thread library cannot load it with a module later.

    The loader says "Cannot dlopen non-loadable libpthread" (NetBSD's
    tests/libexec/ld.elf_so/t_df_1_noopen.sh).
    """
    if where.os != "netbsd":
        return []
    wanted = {
        library
        for links in linked.values()
        for library in links.needed
        if library.startswith("libpthread.")
    }
    program = linked.get(where.executable, Links())
    return [
        f"{where.executable}: does not want `{library}`, but a file beside it does"
        for library in sorted(wanted - set(program.needed))
    ]


def landing_pads(where: System, files: Mapping[str, bytes], main: str) -> list[str]:
    """OpenBSD: all code has landing pads for indirect branches, or the program opts out.

    OpenBSD ≥ 7.4 kills a process that branches elsewhere (IBT, BTI) unless its program has
    PT_OPENBSD_NOBTCFI. The kernel keeps that in the process (sys/kern/kern_exec.c, PSI_NOBTCFI), so
    it also holds for libraries.

    Args:
        main: the program's name.
    """
    if where.os != "openbsd":
        return []
    problems = []
    for name, data in sorted(files.items()):
        try:
            program = parse(data, data)
            ready = _has_landing_pads(program, data)
        except ValueError:
            continue  # `examine` has reported it.
        if name == main and any(s.type == PT_OPENBSD_NOBTCFI for s in program.segments):
            return []
        if not ready:
            problems.append(
                f"{name}: has code without landing pads (no GNU property), and the program has no "
                "PT_OPENBSD_NOBTCFI"
            )
    return problems
