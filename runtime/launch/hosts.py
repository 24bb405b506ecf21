"""Which engines a machine can run, first choice first, as native/stub/target_choice.c has it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runtime.machine.host import has_glibc, missing_for_static
from runtime.machine.machine import Machine
from runtime.machine.targets import TARGETS


@dataclass(frozen=True)
class Candidate:
    """An engine that may start here."""

    target: str
    loader: Path | None = None
    """The dynamic loader that starts it; None if it needs none."""


def candidates(machine: Machine) -> list[Candidate]:
    """What engines may start on a machine."""
    if machine.static_target not in TARGETS:
        return [Candidate(name) for name in (machine.target, machine.guest) if name]
    found = []
    if has_glibc(machine):
        loader = machine.path(TARGETS[machine.target].loaders[0])
        found.append(Candidate(machine.target, loader))
    if not missing_for_static(machine):
        found.append(Candidate(machine.static_target))
    return found
