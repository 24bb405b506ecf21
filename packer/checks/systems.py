"""What each target's files must look like: the facts that the rules compare with."""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass

from runtime.errors import InputError
from runtime.machine.targets import SYSTEMS, TARGETS, Target, TargetSystem


class BinaryKind(enum.Enum):
    """What a file is for."""

    PROGRAM = "program"
    LIBRARY = "library"
    """Named by others when they are linked: `libggml-base`, `libggml`."""
    MODULE = "module"
    """Opened by name while the program runs."""


@dataclass(frozen=True)
class System:
    """One target's facts."""

    target: Target
    system: TargetSystem
    static: bool
    """No file needs any other, not even the system's."""
    any_library: bool = False
    """Imports are not this check's business: the file was built by others."""
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

    @property
    def interpreters(self) -> tuple[str, ...]:
        """Names of the program that starts engines."""
        return self.target.loaders

    def has_library(self, name: str) -> bool:
        """Whether the system has a library that may be imported."""
        known = re.fullmatch(self.system.libraries, name) is not None
        return known or name.lower() in self.drivers

    @property
    def base(self) -> str:
        """The file name of ggml-base, which every module asks for."""
        names = {"windows": "ggml-base.dll", "macos": "libggml-base.dylib"}
        return names.get(self.os, "libggml-base.so")

    @property
    def import_library(self) -> str:
        """The file that modules are linked with where that is not ggml-base itself, or \"\"."""
        return "ggml-base.lib" if self.os == "windows" and not self.static else ""

    @property
    def by_library(self) -> bool:
        """Whether an import says from which library it comes."""
        return self.format != "elf"

    def for_stub(self) -> System:
        """The same for start stubs, which on Linux are static."""
        return dataclasses.replace(self, static=self.static or self.os == "linux")

    def for_foreign_module(self) -> System:
        """The same for modules that others have built."""
        return dataclasses.replace(self, any_library=True, static=False)

    def with_drivers(self, names: Iterable[str]) -> System:
        """The same for modules that may want these libraries, too."""
        return dataclasses.replace(self, drivers=frozenset(name.lower() for name in names))


def system(target: str) -> System:
    """The facts of a target.

    Raises:
        InputError: there are none for it.
    """
    row = TARGETS.get(target)
    if row is None:
        raise InputError(f"no structure rules for target `{target}`")
    return System(row, SYSTEMS[row.os], row.static)


def kind_of(where: System, name: str) -> BinaryKind:
    """What an engine's file of that name is for."""
    if name == where.executable:
        return BinaryKind.PROGRAM
    stem = name.removeprefix("lib").partition(".")[0]
    return BinaryKind.LIBRARY if stem in ("ggml", "ggml-base") else BinaryKind.MODULE
