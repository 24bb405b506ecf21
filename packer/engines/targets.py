"""The targets that engines can be built for; those of this machine."""

from __future__ import annotations

import platform

from runtime.errors import InputError
from runtime.machine.machine import Machine
from runtime.machine.targets import TARGETS, Target

__all__ = ["TARGETS", "Target", "for_this_machine", "named"]


def named(name: str) -> Target:
    """The target of that name.

    Raises:
        InputError: it does not exist.
    """
    if name not in TARGETS:
        raise InputError(f"unknown target `{name}`", f"the targets are: {', '.join(TARGETS)}")
    return TARGETS[name]


def for_this_machine() -> list[Target]:
    """The targets whose engines run here; on Linux the one with modules and the static one.

    Raises:
        InputError: no engine runs here.
    """
    here = Machine.this().target
    rows = [target for target in TARGETS.values() if target.stub == here]
    if not rows:
        raise InputError(
            f"there is no engine for this machine ({platform.system()}, {platform.machine()}) yet",
            f"name one to build it anyway: `llamapack engine build {next(iter(TARGETS))}`",
        )
    return rows
