"""The rules for Linux and the BSDs.

Facts: System V ABI (headers, dynamic section); each rule that only one system has says where that
system's source states it.
"""

from __future__ import annotations

from collections.abc import Mapping

import lief

from packer.checks import elf_dynamic, elf_system
from packer.checks.elf_notes import has_landing_pads
from packer.checks.links import Links
from packer.checks.systems import BinaryKind, System
from packer.head import elf as raw

lief.logging.disable()

_MACHINE = {"x86_64": raw.EM_X86_64, "aarch64": raw.EM_AARCH64}
_ET_DYN = 3
_PT_TLS = 7


def examine(
    where: System, name: str, kind: BinaryKind, data: bytes, own: frozenset[str]
) -> tuple[list[str], Links]:
    """The rules that one file breaks, and its links.

    Args:
        own: the names of the files beside it.
    """
    try:
        program = raw.parse(data, data)
    except ValueError as error:
        return [f"not a 64-bit little-endian ELF file ({error})"], Links()
    problems = _header(where, kind, program) + _segments(where, program, len(data))
    # OpenBSD's loader knows TLS segments only in what is there from the start: "unsupported TLS
    # program header" (libexec/ld.so/library.c).
    if (where.os, kind) == ("openbsd", BinaryKind.MODULE) and any(
        segment.type == _PT_TLS for segment in program.segments
    ):
        problems.append("has a segment of thread-local variables (PT_TLS)")
    problems += elf_system.broken(where, kind, program, data)
    if where.static:
        if any(s.type == raw.PT_DYNAMIC for s in program.segments):
            problems.append("is not static (PT_DYNAMIC)")
        return problems, Links()
    config = lief.ELF.ParserConfig()
    config.parse_relocations = config.parse_symtab_symbols = config.parse_overlay = False
    binary = lief.ELF.parse(data, config)
    if binary is None:
        return [*problems, "cannot be read as an ELF file"], Links()
    problems += elf_dynamic.broken(where, name, kind, binary, own)
    return problems, elf_dynamic.links(binary)


def _header(where: System, kind: BinaryKind, program: raw.Program) -> list[str]:
    problems = []
    if program.machine != _MACHINE[where.arch]:
        problems.append(f"is for machine {program.machine}, not for {where.arch}")
    types = (raw.ET_EXEC, _ET_DYN) if kind is BinaryKind.PROGRAM else (_ET_DYN,)
    if program.type not in types:
        problems.append(f"is of ELF type {program.type}, which no {kind.value} is")
    if kind is BinaryKind.PROGRAM and not any(
        s.vaddr <= program.entry < s.vaddr + s.memsz and s.flags & raw.PF_X for s in program.loads
    ):
        problems.append("its entry point is not in an executable segment")
    return problems


def _segments(where: System, program: raw.Program, size: int) -> list[str]:
    problems = []
    if not program.loads:
        problems.append("has no segment to load")
    # Linux on AArch64 may run with pages of up to 64 KiB, as RHEL 8 does.
    page = 0x10000 if (where.os, where.arch) == ("linux", "aarch64") else 0x1000
    for i, segment in enumerate(program.loads):
        if segment.offset + segment.filesz > size:
            problems.append(f"segment {i} ends after the end of the file")
        if segment.flags & raw.PF_W and segment.flags & raw.PF_X:
            problems.append(f"segment {i} is writable and executable")
        if segment.align < page or (segment.vaddr - segment.offset) % page:
            problems.append(f"segment {i} is not aligned to pages of {page} bytes")
    stacks = [s for s in program.segments if s.type == raw.PT_GNU_STACK]
    if any(s.flags & raw.PF_X for s in stacks):
        problems.append("asks for an executable stack")
    # Without the header, Linux and FreeBSD take the stack to be executable.
    if not stacks and where.os in ("linux", "freebsd"):
        problems.append("does not say that its stack is not executable (PT_GNU_STACK)")
    return problems


def together(where: System, files: Mapping[str, bytes], linked: Mapping[str, Links]) -> list[str]:
    """The rules that the files of one engine break only together."""
    if where.format != "elf" or where.static:
        return []
    return _threads(where, linked) + landing_pads(where, files)


def _threads(where: System, linked: Mapping[str, Links]) -> list[str]:
    """NetBSD: the thread library is there from the start, or not at all.

    It cannot come with a module: the loader says "Cannot dlopen non-loadable libpthread" (NetBSD's
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


def landing_pads(where: System, files: Mapping[str, bytes], main: str | None = None) -> list[str]:
    """OpenBSD: indirect branches land where they may, or the program says that they may not.

    OpenBSD ≥ 7.4 kills a process that branches elsewhere (IBT, BTI) unless its program has
    PT_OPENBSD_NOBTCFI. The kernel keeps that in the process (sys/kern/kern_exec.c, PSI_NOBTCFI), so
    it holds for libraries too.

    Args:
        main: the program's name if it is not the engine's.
    """
    if where.os != "openbsd":
        return []
    problems = []
    for name, data in sorted(files.items()):
        try:
            program = raw.parse(data, data)
            ready = has_landing_pads(program, data)
        except ValueError:
            continue  # `examine` has said so.
        if name == (main or where.executable) and any(
            segment.type == raw.PT_OPENBSD_NOBTCFI for segment in program.segments
        ):
            return []
        if not ready:
            problems.append(
                f"{name}: has code without landing pads (no GNU property), and the program has no "
                "PT_OPENBSD_NOBTCFI"
            )
    return problems
