"""Reads Linux' table of mounted file systems (proc_pid_mountinfo(5))."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from runtime.machine.machine import Machine


@dataclass(frozen=True)
class Mount:
    """A mounted file system."""

    point: str
    """Absolute path of the directory that it is mounted on."""
    type: str
    """As the kernel calls it: `ext4`, `vfat`, …"""
    options: frozenset[str]
    """Of this mount, such as `noexec`."""


def mount_of(machine: Machine, path: Path) -> Mount | None:
    """The mount that holds `path`; None where the system has no such table."""
    found, real = None, path.resolve()
    for line in machine.text("/proc/self/mountinfo").splitlines():
        own, _, system = line.partition(" - ")
        fields, types = own.split(" "), system.split(" ")
        if len(fields) < 6 or not system:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        # A later line of the same length covers an earlier one.
        if real.is_relative_to(point) and (not found or len(point) >= len(found.point)):
            found = Mount(point, types[0], frozenset(fields[5].split(",")))
    return found
