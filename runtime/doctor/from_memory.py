"""Whether Linux lets a native stub start the static engine without any directory."""

from __future__ import annotations

import re

from runtime.doctor.subject import Subject
from runtime.machine.head import Kind
from runtime.machine.machine import Machine

_OLDEST = (3, 19)  # the Linux that brought execveat, later than memfd_create


def trouble(machine: Machine) -> tuple[str, str] | None:
    """Why not, with the command that fixes it or an empty text; None if it works."""
    release = machine.text("/proc/sys/kernel/osrelease").strip()
    version = tuple(map(int, re.findall(r"\d+", release)[:2]))
    if machine.text("/proc/sys/vm/memfd_noexec").strip() == "2":
        return "vm.memfd_noexec is 2", "`sudo sysctl vm.memfd_noexec=1`"
    if version and version < _OLDEST:
        return f"Linux {release} is older than 3.19", ""
    return None


def needs_no_directory(machine: Machine, subject: Subject | None) -> bool:
    """Whether this file starts where no directory will do. A script has to unpack its stub."""
    return (
        subject is not None
        and machine.system == "linux"
        and subject.kind is Kind.ELF
        and any(engine.target == machine.static_target for engine in subject.engines)
        and trouble(machine) is None
    )
