"""Structure checks of native files: what can be known about a program without starting it.

Most targets cannot run where they are built. What their loaders refuse can still be read from the
files: format, architecture, interpreter and notes, imported libraries, minimum system versions,
signatures, and whether the ggml symbols that one file imports are exported by another.

Every rule is a line `NAME: what is wrong`; no lines mean that all rules are kept.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

from packer.checks import elf, import_library, macho, pe
from packer.checks.links import Links, unmet
from packer.checks.systems import BinaryKind, System, kind_of, system

__all__ = ["check", "check_module", "check_stub", "systems"]

_NOT_NATIVE = ("SHA256SUMS", "engine.json")
"""Files that may lie in an engine's folder beside the native ones."""


def check(target: str, files: Mapping[str, bytes] | Path) -> list[str]:
    """The rules that an engine's files break.

    Args:
        target: as in the bundle format, such as `macos-aarch64` or `linux-x86_64-static`.
        files: contents by name, or a folder that holds them. `SHA256SUMS` and `engine.json` are
            passed over; anything else must be a native file of that target.

    Raises:
        InputError: there are no rules for such a target.
        OSError: a file of the folder cannot be read.
    """
    where = system(target)
    if isinstance(files, Path):
        files = {path.name: path.read_bytes() for path in sorted(files.iterdir())}
    files = {name: data for name, data in files.items() if name not in _NOT_NATIVE}
    problems = _missing(where, files)
    linked = {}
    for name in sorted(files.keys() - {where.import_library}):
        found, linked[name] = _examine(where, name, kind_of(where, name), files[name], files)
        problems += found
    problems += elf.together(where, files, linked)
    if where.import_library in files and where.base in linked:
        exports = frozenset(linked[where.base].exports)
        found = import_library.examine(files[where.import_library], where.arch, where.base, exports)
        problems += [f"{where.import_library}: {problem}" for problem in found]
    for name, links in linked.items():
        problems += unmet(name, links, linked, by_library=where.by_library)
    return problems


def check_stub(target: str, data: bytes, name: str = "stub") -> list[str]:
    """The rules that a start stub breaks: one program that needs no file of ours.

    Args:
        target: as for `check`. Linux stubs are static programs whatever it says.
        data: the stub's bytes, without padding.

    Raises:
        InputError: there are no rules for such a target.
    """
    where = system(target).for_stub()
    problems = _examine(where, name, BinaryKind.PROGRAM, data, ())[0]
    return problems + elf.landing_pads(where, {name: data}, main=name)


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
        drivers: the libraries besides the C library that the module may want. None for a module
            that others have built: which other libraries it wants, and from which system version on
            it runs, is its builder's choice.

    Raises:
        InputError: there are no rules for such a target.
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
    return unmet(name, links, {where.base: ours}, by_library=where.by_library)


def _missing(where: System, files: Mapping[str, bytes]) -> list[str]:
    wanted = [where.executable]
    if not where.static:
        wanted += [name for name in (where.base, where.import_library) if name]
    return [f"{name}: is missing" for name in wanted if name not in files]


def _examine(
    where: System, name: str, kind: BinaryKind, data: bytes, own: Iterable[str]
) -> tuple[list[str], Links]:
    examine = {"elf": elf.examine, "macho": macho.examine, "pe": pe.examine}[where.format]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # lief warns of numbers that it has no name for.
            found, links = examine(where, name, kind, data, frozenset(own))
    except Exception as error:  # A parser may stumble over any broken file; that is a finding.
        found, links = [f"cannot be read ({type(error).__name__}: {error})"], Links()
    return [f"{name}: {problem}" for problem in found], links
