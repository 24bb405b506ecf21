"""What engines ask of the machine itself: processor and C library."""

from __future__ import annotations

import re

from runtime.machine.machine import Machine
from runtime.machine.targets import TARGETS

_STATIC_NEEDS = ("avx2", "fma", "f16c", "bmi2")


def has_glibc(machine: Machine) -> bool:
    """Whether Linux has the loader that engines with modules need."""
    known = TARGETS.get(machine.target)
    return known is not None and all(machine.path(name).exists() for name in known.loaders)


def missing_for_static(machine: Machine) -> list[str] | None:
    """What static engines need of the processor and it lacks; None where nothing tells."""
    flags = re.search(r"^flags\s*:(.*)$", machine.text("/proc/cpuinfo"), re.MULTILINE)
    if machine.target != "linux-x86_64" or not flags:
        return None
    return [name.upper() for name in _STATIC_NEEDS if name not in flags[1].split()]
