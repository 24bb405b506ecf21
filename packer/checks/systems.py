"""What each target's files must look like, and how they are linked with each other."""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from runtime.errors import InputError
from runtime.machine.targets import SYSTEMS, TARGETS, Target, TargetSystem

_OURS = re.compile(r"(?:_Z\d+)?g(?:gml|guf)_")
"""ggml's functions, in C or as C++ spells them."""
_SHOWN = 5


class BinaryKind(enum.Enum):
    """What a file is for."""

    PROGRAM = "program"
    LIBRARY = "library"
    """Others are linked with it: `libggml-base`, `libggml`."""
    MODULE = "module"
    """Opened by name while the program runs."""


@dataclass(frozen=True)
class System:
    """The facts of one target."""

    target: Target
    system: TargetSystem
    static: bool
    """No file needs any other, not even the system's."""
    any_library: bool = False
    """The file was built by others, and its imports are not checked."""
    drivers: frozenset[str] = frozenset()
    """Libraries that come with a graphics card's driver, in lower case."""

    @property
    def os(self) -> str:
        return self.target.os

    @property
    def arch(self) -> str:
        return self.target.arch

    @property
    def format(self) -> str:
        """`elf`, `macho` or `pe`."""
        return self.system.format

    @property
    def floor(self) -> tuple[int, int]:
        """The oldest version of the system, or of its C library, that the files must run on."""
        major, _, minor = self.target.floor.rpartition(" ")[2].partition(".")
        return int(major), int(minor or 0)

    @property
    def executable(self) -> str:
        """The engine's file name."""
        return self.target.executable

    def has_library(self, name: str) -> bool:
        """Whether the system has a library that may be imported."""
        known = re.fullmatch(self.system.libraries, name) is not None
        return known or name.lower() in self.drivers

    @property
    def base(self) -> str:
        """The file name of ggml-base, which every module imports."""
        names = {"windows": "ggml-base.dll", "macos": "libggml-base.dylib"}
        return names.get(self.os, "libggml-base.so")

    @property
    def import_library(self) -> str:
        """The file that modules are linked with instead of ggml-base; empty if there is none."""
        return "ggml-base.lib" if self.os == "windows" and not self.static else ""

    def kind_of(self, name: str) -> BinaryKind:
        """What the file of that name in an engine is for."""
        if name == self.executable:
            return BinaryKind.PROGRAM
        stem = name.removeprefix("lib").partition(".")[0]
        return BinaryKind.LIBRARY if stem in ("ggml", "ggml-base") else BinaryKind.MODULE

    def for_stub(self) -> System:
        """The facts for start stubs, which are static on Linux."""
        return dataclasses.replace(self, static=self.static or self.os == "linux")

    def for_foreign_module(self) -> System:
        """The facts for modules that others have built."""
        return dataclasses.replace(self, any_library=True, static=False)

    def with_drivers(self, names: Iterable[str]) -> System:
        """The same for modules that may want these libraries, too."""
        return dataclasses.replace(self, drivers=frozenset(name.lower() for name in names))


def system(target: str) -> System:
    """The facts of a target.

    Raises:
        InputError: the target is unknown.
    """
    row = TARGETS.get(target)
    if row is None:
        raise InputError(f"no structure rules for target `{target}`")
    return System(row, SYSTEMS[row.os], row.static)


@dataclass(frozen=True)
class Links:
    """The names by which one file is linked with others."""

    needed: tuple[str, ...] = ()
    """Libraries that the loader loads with it, by file name."""
    imports: frozenset[tuple[str, str]] = frozenset()
    """Library and name of each imported symbol; in ELF files the library is empty."""
    exports: frozenset[str] = frozenset()


def text(name: str | bytes) -> str:
    """A name from LIEF, which gives bytes for a name that is not UTF-8."""
    return name if isinstance(name, str) else name.decode("latin-1")


def unmet(where: System, name: str, links: Links, others: Mapping[str, Links]) -> list[str]:
    """The problem that a file imports symbols of ggml which no file beside it exports, if it does.

    Args:
        name: of the file that imports.
        others: the links of the engine's files, by name.
    """
    missing = sorted(
        symbol
        for library, symbol in links.imports
        if _OURS.match(symbol)
        and not any(
            symbol in others[place].exports
            for place in (links.needed if where.format == "elf" else [library])
            if place in others
        )
    )
    if not missing:
        return []
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    return [f"{name}: no library beside it exports {', '.join(missing[:_SHOWN])}{more}"]
