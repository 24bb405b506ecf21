"""The dynamic section of ELF files: what a file wants from the loader."""

from __future__ import annotations

import re

import lief

from packer.checks.links import Links, text
from packer.checks.systems import BinaryKind, System

_TAG = lief.ELF.DynamicEntry.TAG
_DF_ORIGIN, _DF_TEXTREL = 1, 4
_GLIBC = re.compile(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?")


def broken(
    where: System, name: str, kind: BinaryKind, binary: lief.ELF.Binary, own: frozenset[str]
) -> list[str]:
    """The rules of this kind that one file breaks."""
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
    wanted = _needed(binary)
    problems += [
        f"wants `{library}`, which is neither beside it nor a library of the system"
        for library in wanted
        if library not in own and not where.has_library(library)
    ]
    problems += _search_path(where, binary, flags, ours=any(library in own for library in wanted))
    return problems + (_glibc(where, binary) if where.os == "linux" else [])


def _search_path(where: System, binary: lief.ELF.Binary, flags: int, *, ours: bool) -> list[str]:
    problems = []
    if binary.has(_TAG.RPATH):
        problems.append("has DT_RPATH, which LD_LIBRARY_PATH cannot override")
    paths = _strings(binary, lief.ELF.DynamicEntryRunPath)
    if (ours or paths) and paths != ["$ORIGIN"]:
        problems.append(f"looks for libraries in {paths} (DT_RUNPATH), not in `$ORIGIN`")
    if paths and where.system.needs_origin_flag and not flags & _DF_ORIGIN:
        problems.append("its `$ORIGIN` is not expanded without DF_ORIGIN (linker: `-z origin`)")
    return problems


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


def links(binary: lief.ELF.Binary) -> Links:
    """What it wants from other files, and what it has for them."""
    return Links(
        tuple(_needed(binary)),
        frozenset(
            ("", text(symbol.name))
            for symbol in binary.imported_symbols
            if symbol.binding != lief.ELF.Symbol.BINDING.WEAK
        ),
        frozenset(text(symbol.name) for symbol in binary.exported_symbols),
    )


def _needed(binary: lief.ELF.Binary) -> list[str]:
    return _strings(binary, lief.ELF.DynamicEntryLibrary)


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
