"""What engines ask of the machine itself: processor and C library."""

from __future__ import annotations

import re

from runtime.machine.machine import Machine

_STATIC_NEEDS = ("avx2", "fma", "f16c", "bmi2")
# By the ABIs of both architectures: whoever has glibc has this file.
GLIBC_LOADERS = {"x86_64": "/lib64/ld-linux-x86-64.so.2", "aarch64": "/lib/ld-linux-aarch64.so.1"}
"""The dynamic loader of glibc, by architecture."""


def missing_for_static(machine: Machine) -> list[str] | None:
    """What static engines need of the processor and it lacks; None where nothing tells."""
    flags = re.search(r"^flags\s*:(.*)$", machine.text("/proc/cpuinfo"), re.MULTILINE)
    if machine.target != "linux-x86_64" or not flags:
        return None
    return [name.upper() for name in _STATIC_NEEDS if name not in flags[1].split()]
