"""Shells that do not start scripts without `#!`, or none that begin as programs for Windows do."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from runtime.doctor.binfmt import starts_by_ape
from runtime.doctor.finding import Finding, note, ok, problem
from runtime.doctor.subject import Subject
from runtime.machine.head import Kind
from runtime.machine.machine import Machine
from runtime.machine.targets import SYSTEMS

_FIRST_GOOD = (5, 9)
_STOPPED_BY_WINDOWS = ("ksh", "ksh93", "lksh", "mksh", "yash")
"""They stumble over the NULs of such a head (ksh93, yash), or over its first letters, MZ (mksh)."""


def old_zsh(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """zsh before 5.9 says *exec format error* where every other shell runs the script."""
    if machine.system == "windows" or (subject and not subject.kind.is_ape):
        return
    for program in _found(machine):
        version = _version(machine.output(program, "--version") or "")
        if version is None:
            continue
        text = ".".join(map(str, version))
        if version >= _FIRST_GOOD:
            yield ok("zsh", f"{program} is version {text}, which starts bundles")
        elif starts_by_ape(machine, subject):
            yield ok("zsh", f"{program} is version {text}, but an APE loader is registered")
        else:
            file = subject.shell if subject else "./m.llamafile"
            yield problem(
                "zsh",
                f"{program} is version {text}; before 5.9 zsh does not start bundles",
                f"`sh {file}` starts it all the same",
                f"or install zsh 5.9 or newer; `{shlex.quote(str(program))} --version` tells",
            )


def windows_head(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """Shells that do not read a file that is a program for Windows, too."""
    if subject and subject.kind is not Kind.APE_WINDOWS:
        return
    system = SYSTEMS.get(machine.system)
    if system and system.bash:
        file = subject.shell if subject else "./m.llamafile"
        yield (problem if subject else note)(
            "sh",
            f"{system.title}'s own shells do not start a file that Windows starts, too",
            f"`bash {file}` starts it; `{system.bash}` installs bash",
            "or get one without Windows: `llamapack pack MODEL.gguf --windows external` makes it",
        )
        return
    name = Path(machine.env.get("SHELL", "")).name
    if not subject or machine.system == "windows" or name not in _STOPPED_BY_WINDOWS:
        return
    if starts_by_ape(machine, subject):
        yield ok(name, f"{name} does not read files for Windows, but an APE loader is registered")
    else:
        yield problem(
            name,
            f"{name} does not start files that Windows starts, too",
            f"`sh {subject.shell}` starts it all the same",
        )


def _found(machine: Machine) -> list[Path]:
    """The user's own shell and the one in PATH, without repeats."""
    own = Path(machine.env.get("SHELL", ""))
    places = [own if own.name == "zsh" and own.is_file() else None, machine.program("zsh")]
    unique = {place.resolve(): place for place in reversed(places) if place}
    return list(reversed(unique.values()))


def _version(text: str) -> tuple[int, ...] | None:
    found = re.match(r"zsh (\d+(?:\.\d+)+)", text)
    return tuple(map(int, found[1].split("."))) if found else None
