"""Which engines a machine can run, first choice first, as native/stub/target_choice.c has it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runtime.machine.host import GLIBC_LOADERS, missing_for_static
from runtime.machine.machine import Machine


@dataclass(frozen=True)
class Candidate:
    """An engine that may start here."""

    target: str
    loader: Path | None = None
    """The dynamic loader that starts it; None if it needs none."""


def candidates(machine: Machine) -> list[Candidate]:
    """What engines may start on a machine."""
    target = machine.target
    if machine.system == "linux":
        found = []
        loader = machine.path(GLIBC_LOADERS.get(machine.arch, "/no/loader"))
        if loader.exists():
            found.append(Candidate(target, loader))
        if not missing_for_static(machine):
            found.append(Candidate(f"{target}-static"))
        return found
    # Rosetta, and the emulation of Windows 11.
    emulates = machine.system in ("macos", "windows") and machine.arch == "aarch64"
    emulated = [Candidate(f"{machine.system}-x86_64")] if emulates else []
    return [Candidate(target), *emulated]


def program_name(machine: Machine) -> str:
    """Of the engine's executable."""
    return "llamapack-engine.exe" if machine.system == "windows" else "llamapack-engine"
