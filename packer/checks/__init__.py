"""Checks of native files: what can be known about a program without starting it.

Most targets cannot run where they are built. The files still show what their loaders refuse:
format, architecture, interpreter and notes, imported libraries, minimum system versions,
signatures, and ggml symbols that one file imports and no other exports.

A broken rule is a line `NAME: what is wrong`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

from packer.checks import elf, macho, pe
from packer.checks.systems import BinaryKind, Links, System, system, unmet

__all__ = ["check", "check_module", "check_stub", "systems"]

_EXAMINE = {"elf": elf.examine, "macho": macho.examine, "pe": pe.examine}
_NOT_NATIVE = ("SHA256SUMS", "engine.json")
"""Files of an engine's folder that are not programs."""


def check(target: str, files: Mapping[str, bytes] | Path) -> list[str]:
    """The rules that an engine's files break.

    Args:
        target: such as `macos-aarch64` or `linux-x86_64-static`.
        files: contents by name, or their folder. `SHA256SUMS` and `engine.json` are ignored;
            all others must be native files of that target.

    Raises:
        InputError: the target is unknown.
        OSError: a file of the folder cannot be read.
    """
    where = system(target)
    if isinstance(files, Path):
        files = {path.name: path.read_bytes() for path in sorted(files.iterdir())}
    files = {name: data for name, data in files.items() if name not in _NOT_NATIVE}
    wanted = [where.executable]
    if not where.static:
        wanted += [name for name in (where.base, where.import_library) if name]
    problems = [f"{name}: is missing" for name in wanted if name not in files]
    linked = {}
    for name in sorted(files.keys() - {where.import_library}):
        found, linked[name] = _examine(where, name, where.kind_of(name), files[name], files)
        problems += found
    problems += elf.examine_together(where, files, linked)
    if where.import_library in files and where.base in linked:
        exports = linked[where.base].exports
        found = pe.examine_import_library(
            files[where.import_library], where.arch, where.base, exports
        )
        problems += [f"{where.import_library}: {problem}" for problem in found]
    for name, links in linked.items():
        problems += unmet(where, name, links, linked)
    return problems


def check_stub(target: str, data: bytes, name: str = "stub") -> list[str]:
    """The rules that a start stub breaks: one program that needs none of our files.

    Args:
        target: as for `check`. Stubs for Linux must be static.
        data: the stub's bytes, without padding.

    Raises:
        InputError: the target is unknown.
    """
    where = system(target).for_stub()
    problems = _examine(where, name, BinaryKind.PROGRAM, data, ())[0]
    return problems + elf.landing_pads(where, {name: data}, name)


def check_module(
    target: str,
    name: str,
    data: bytes,
    base: bytes | None,
    *,
    drivers: Iterable[str] | None = None,
) -> list[str]:
    """The rules that a module breaks, such as a GPU backend.

    Args:
        name: the module's file name, for the messages.
        base: our `libggml-base.so`, `libggml-base.dylib` or `ggml-base.dll`; None if it is not
            built: then its symbols are not looked up.
        drivers: the libraries that the module may want as well as the C library. None for a module
            that others have built: which other libraries it wants, and from which system version on
            it runs, is its builder's choice.

    Raises:
        InputError: the target is unknown.
    """
    where = system(target)
    where = where.for_foreign_module() if drivers is None else where.with_drivers(drivers)
    found, links = _examine(where, name, BinaryKind.MODULE, data, (where.base,))
    if found:
        return found
    if where.base not in links.needed:
        near = [library for library in links.needed if "ggml" in library]
        asked = f"for {', '.join(near)}" if near else "for no ggml library"
        return [f"{name}: asks {asked}, not for `{where.base}`"]
    if base is None:
        return []
    unread, ours = _examine(where, where.base, BinaryKind.LIBRARY, base, (where.base,))
    if unread and not ours.exports:
        return unread
    return unmet(where, name, links, {where.base: ours})


def _examine(
    where: System, name: str, kind: BinaryKind, data: bytes, own: Iterable[str]
) -> tuple[list[str], Links]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # lief warns of numbers that it has no name for.
            found, links = _EXAMINE[where.format](where, name, kind, data, frozenset(own))
    except Exception as error:  # A parser may fail on any broken file; that is a finding.
        found, links = [f"cannot be read ({type(error).__name__}: {error})"], Links()
    return [f"{name}: {problem}" for problem in found], links
