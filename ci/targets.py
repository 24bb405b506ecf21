"""Makes the packer's, the launcher's and the stub's tables of targets out of native/targets.toml.

Usage: python -m ci.targets
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ci.tables import write

_HEADER = """\
// What native/targets.toml says of each system, made by `python -m ci.targets`.
#ifndef LLAMAPACK_STUB_TARGETS_H
#define LLAMAPACK_STUB_TARGETS_H

// The system that this program is compiled for, and the file name of its engine's program.
%(systems)s
#else
#error "native/targets.toml has no such system"
#endif

// A system on a machine.
struct target_row {
    const char * system;
    const char * machine;
    const char * loader;   // the file without which only a -static engine runs; NULL: there is none
    const char * emulated; // the machine whose engines run here, too, or NULL
    const char * advice;   // what an engine that does not start probably lacks, and what to do
};

static const struct target_row TARGET_ROWS[] = {
%(rows)s};

#endif
"""
_MODULE = '''\
"""What native/targets.toml says of each system, made by `python -m ci.targets`."""

from __future__ import annotations

from dataclasses import dataclass

STATIC = "-static"
"""How the names of targets end whose engines need no C library."""


@dataclass(frozen=True)
class TargetSystem:
    """An operating system."""

    name: str
    """As in the names of targets."""
    title: str
    """For people."""
    kernel: str
    """What `uname -s` says."""
    format: str
    """Of its programs: `elf`, `macho` or `pe`."""
    stub: str
    """zig's name of the system that start stubs are built for."""
    libraries: str
    """A regular expression: what files of engines may want from the system."""
    osabi: int = 0
    """EI_OSABI of its ELF programs, which may also leave it at 0."""
    note: tuple[str, int, int] | None = None
    """Of its ELF programs: vendor, least version, and the first that is too new."""
    note_first: bool = False
    """Whether its kernel looks no further than the first note."""
    needs_origin_flag: bool = False
    """Whether its loader expands `$ORIGIN` only in files that have DF_ORIGIN."""
    bash: str = ""
    """How to install bash, where the system's own shells do not start files for Windows."""


@dataclass(frozen=True)
class Target:
    """A system and an architecture that engines are built for."""

    name: str
    """Operating system, architecture, and `-static` if it needs no C library."""
    os: str
    arch: str
    zig: str
    """zig's `-target`, with the oldest system version that it supports."""
    floor: str
    """The oldest system that its engine and stub run on, for people."""
    uname: tuple[str, ...] = ()
    """What start.sh makes of `uname -m`; empty where no shell starts bundles."""
    loaders: tuple[str, ...] = ()
    """The program that starts the engine, by all its names; empty if it needs none."""
    emulates: str = ""
    """The architecture whose programs this system runs, too."""

    @property
    def static(self) -> bool:
        """One executable; else ggml's libraries and CPU variants are in its folder."""
        return self.name.endswith(STATIC)

    @property
    def executable(self) -> str:
        """File name of the engine's program."""
        return executable(self.os)

    @property
    def stub(self) -> str:
        """Name of the start stub: the static engine shares that of its system."""
        return stub_of(self.name)

    @property
    def guest(self) -> str:
        """The target whose programs this one emulates; empty if there is none."""
        return self.emulates and f"{self.os}-{self.emulates}"


def stub_of(target: str) -> str:
    """The name of the start stub for a target, known or not."""
    return target.removesuffix(STATIC)


def executable(system: str) -> str:
    """File name of the engine's program on a system, known or not."""
    return EXECUTABLES[system == "windows"]


EXECUTABLES = ("llamapack-engine", "llamapack-engine.exe")
ARCHITECTURES = {
%(architectures)s}
"""Titles, by what targets call them."""
ARCHITECTURE_NAMES = {
%(names)s}
"""What systems call them, in lower case."""
SYSTEMS = {
%(systems)s}  # fmt: skip
TARGETS = {
%(targets)s}  # fmt: skip
'''


def made(folder: Path) -> dict[Path, str]:
    """The texts of the tables, by the files that hold them.

    Args:
        folder: `native` of a checkout.
    """
    table = tomllib.loads((folder / "targets.toml").read_text(encoding="utf-8"))
    return {
        folder / "stub" / "targets.h": _header(table),
        folder.parent / "runtime" / "machine" / "targets.py": _module(table),
    }


def _rows(table: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """System, architecture, and what holds for it."""
    for name, system in table["systems"].items():
        for arch in table["architectures"]:
            yield name, arch, system | system[arch]


def _header(table: dict[str, Any]) -> str:
    systems = "\n".join(
        f'#{"elif" if i else "if"} defined({system["macro"]})\n#define TARGET_SYSTEM  "{name}"\n'
        f'#define TARGET_PROGRAM "llamapack-engine{".exe" * (name == "windows")}"'
        for i, (name, system) in enumerate(table["systems"].items())
    )
    rows = ""
    for name, arch, row in _rows(table):
        loader = _c(row["loaders"][0]) if "static" in row else "NULL"
        emulated = _c(row["emulates"]) if "emulates" in row else "NULL"
        rows += f'    {{"{name}", "{arch}", {loader}, {emulated},\n'
        rows += f"     {_c(row['advice'])}}},\n"
    return _HEADER % {"systems": systems, "rows": rows}


def _c(text: str) -> str:
    return json.dumps(text, ensure_ascii=True)


def _module(table: dict[str, Any]) -> str:
    architectures = table["architectures"]
    names = {one: arch for arch, row in architectures.items() for one in (arch, *row["names"])}
    systems = "".join(
        _call(name, "TargetSystem", {
            "name": name,
            "title": system["title"],
            "kernel": system["kernel"],
            "format": system["format"],
            "stub": system["stub"],
            "libraries": system["libraries"],
            "osabi": system.get("osabi"),
            "note": tuple(system.get("note", ())),
            "note_first": system.get("note_first"),
            "needs_origin_flag": system.get("origin"),
            "bash": system.get("bash"),
        })
        for name, system in table["systems"].items()
    )  # fmt: skip
    targets = ""
    for os, arch, row in _rows(table):
        name = f"{os}-{arch}"
        engines = {"": row, "-static": row["static"]} if "static" in row else {"": row}
        for suffix, engine in engines.items():
            targets += _call(name + suffix, "Target", {
                "name": name + suffix,
                "os": os,
                "arch": arch,
                "zig": f"{arch}-{engine['engine']}",
                "floor": engine["floor"],
                "uname": tuple(row.get("uname", ())),
                "loaders": () if suffix else tuple(row.get("loaders", ())),
                "emulates": row.get("emulates"),
            })  # fmt: skip
    return _MODULE % {
        "architectures": _items({arch: row["title"] for arch, row in architectures.items()}),
        "names": _items(names),
        "systems": systems,
        "targets": targets,
    }


def _items(texts: dict[str, str]) -> str:
    return "".join(f"    {_c(key)}: {_c(value)},\n" for key, value in texts.items())


def _call(key: str, kind: str, arguments: dict[str, Any]) -> str:
    """An entry of a dictionary: a call with the arguments that have a value."""
    given = [f"{name}={_python(value)}" for name, value in arguments.items() if value]
    lines = [" " * 7]
    for one in given:
        if len(lines[-1]) + len(one) > 97:
            lines.append(" " * 7)
        lines[-1] += f" {one},"
    return f"    {_c(key)}: {kind}(\n" + "".join(f"{line}\n" for line in lines) + "    ),\n"


def _python(value: Any) -> str:
    if isinstance(value, str):
        return f'r"{value}"' if "\\" in value else _c(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(_python, value))}{',' * (len(value) == 1)})"
    return f"{value:_}" if type(value) is int else repr(value)


if __name__ == "__main__":
    raise SystemExit(write("ci.targets", __doc__, made))
