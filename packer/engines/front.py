"""The bytes in front of the archive: the polyglot head with its stubs, or one native program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runtime.errors import InputError
from runtime.formats.bundle import START
from runtime.machine.targets import EXECUTABLES, STATIC, SYSTEMS, TARGETS, stub_of

APE, ELF, EXE, MACHO = "ape", "elf", "exe", "macho"
FORMATS = {
    APE: "polyglot for all its targets",
    ELF: "native program for Linux or one BSD",
    EXE: "native program for Windows",
    MACHO: "native program for macOS",
}
ENDINGS = {APE: ".llamafile", ELF: ".elf", EXE: ".exe", MACHO: ".macho"}

_KINDS = {"elf": ELF, "pe": EXE, "macho": MACHO}
"""By the format of a system's programs."""
_BLOCK = 65536
"""Bytes; the archive begins on a multiple of it."""


@dataclass(frozen=True)
class Front:
    """The bytes from the start of the file to the archive."""

    data: bytes
    """A multiple of 64 KiB."""
    program: str | None = None
    """The target of a file that is a native program; None for a polyglot."""
    is_engine: bool = False
    """Whether that program is the engine itself, which the archive then does not contain."""
    stubs: Mapping[str, bytes] = field(default_factory=dict)
    """Members of the archive: stubs for Windows, where cmd.exe starts the file."""


def polyglot(targets: Iterable[str], *, cmd: bool = False) -> Front:
    """Head and stubs for these targets; `cmd`: one that Windows starts by cmd.exe.

    Raises:
        InputError: zig is not installed.
    """
    from packer.head.head import build_head

    names = {stub_of(target) for target in targets}
    # A file is only one PE; it starts the engine for Arm where the machine is one.
    names |= {TARGETS[name].guest for name in names if _kind(name) == EXE} - {""}
    stubs = _stubs(names)
    members = {f"{START}{n}.exe": stubs[n] for n in sorted(names) if cmd and _kind(n) == EXE}
    return Front(build_head(stubs, cmd=bool(members)), stubs=members)


def native(kind: str, engines: Mapping[str, Path]) -> Front:
    """A program that the system starts without a shell.

    It is the start stub of the engines' system. A single static engine needs no stub: it is the
    program, and unpacks nothing.

    Args:
        kind: `elf`, `exe` or `macho`.
        engines: folders by target, all of one system and architecture. On Windows, the x86-64 stub
            also starts an engine for Arm.

    Raises:
        InputError: these engines do not fit into one such program, or zig is not installed.
    """
    from packer.engines.cache import content

    only = next(iter(engines), "")
    if kind == ELF and list(engines) == [only] and only.endswith(STATIC):
        return Front(_padded(content(engines[only], EXECUTABLES[0])), only, True)
    names = {stub_of(target) for target in engines}
    if kind == EXE:
        names = {name for name in names if TARGETS[name].guest not in names}
    if len(names) != 1 or _kind(min(names)) != kind:
        raise InputError(
            f"`--format {kind}` makes a {FORMATS[kind]}, not for {', '.join(engines) or 'nothing'}",
            f"Name one of its targets, as in `--targets {example(kind)}`.",
        )
    (name,) = names
    return Front(_padded(_stubs(names)[name]), name)


def kind_of(program: str | None) -> str:
    """The format of a native program for this target; None is the target of a polyglot.

    Raises:
        InputError: the target is unknown.
    """
    if program is None:
        return APE
    kind = _kind(program)
    if kind is None:
        raise InputError(f"a program for {program!r} is not known", "Upgrade llamapack.")
    return kind


def example(kind: str) -> str:
    """A target of native programs of this kind, for messages."""
    names = [name for name in TARGETS if _kind(name) == kind]
    return names[-1] if kind == MACHO else names[0]


def fitting(kind: str, targets: Iterable[str]) -> list[str]:
    """The targets that a native program of this kind is made for by default.

    They have one architecture, if possible that of this machine, except on Windows.
    """
    from packer.engines.targets import for_this_machine

    possible = [target for target in targets if _kind(target) == kind]
    if kind == EXE:
        return possible
    here = [target.name for target in for_this_machine()]
    stub = next((stub_of(t) for t in possible if t in here), next(map(stub_of, possible), ""))
    return [target for target in possible if stub_of(target) == stub]


def _kind(target: str) -> str | None:
    """The format of native programs for a target; None for an unknown system."""
    system = SYSTEMS.get(target.split("-", maxsplit=1)[0])
    return _KINDS[system.format] if system else None


def _padded(program: bytes) -> bytes:
    return program + bytes(-len(program) % _BLOCK)


def _stubs(names: Iterable[str]) -> dict[str, bytes]:
    from packer.engines import native as sources
    from packer.engines import pins, toolchain
    from packer.engines.stubs import all_cached, build_stubs

    pinned, wanted = pins.load(sources.directory()), sorted(names)
    # Those that were fetched need no compiler.
    return all_cached(wanted, pinned.zig) or build_stubs(wanted, toolchain.find(pinned).zig)
