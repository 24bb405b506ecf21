"""Looks at a machine and at a bundle: what would go wrong at a start, and how to fix it.

A check is a function of a machine and a file (None: the machine alone) that yields findings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from runtime.doctor import binfmt, bundle_file, cache, file_place, gpu, host
from runtime.doctor.check import Finding, Subject, note
from runtime.machine.machine import Machine

Check: TypeAlias = Callable[[Machine, Subject | None], Iterable[Finding]]

CHECKS: tuple[Check, ...] = (
    bundle_file.head,
    bundle_file.directory,
    bundle_file.engines,
    bundle_file.weights,
    bundle_file.executable,
    file_place.quarantine,
    file_place.noexec,
    file_place.windows_size,
    file_place.fat32,
    file_place.antivirus,
    binfmt.hijackers,
    binfmt.registration,
    host.old_zsh,
    host.windows_head,
    cache.cache_directories,
    cache.contents,
    cache.old_engines,
    cache.size,
    host.processor,
    host.c_library,
    host.start_from_memory,
)

GPU_CHECKS: tuple[Check, ...] = (gpu.cards, gpu.drivers, gpu.modules, gpu.compilers)


def examine(
    machine: Machine, file: Path | None, checks: Iterable[Check] = CHECKS
) -> Iterator[Finding]:
    """Run the checks, those of the file first.

    Raises:
        InputError: the file does not exist or is a directory.
        OSError: the file cannot be read.
    """
    subject = Subject.read(file) if file else None
    for check in checks:
        try:
            yield from check(machine, subject)
        except OSError as error:
            # A check that lacks permissions must not hide the findings of the others.
            name = getattr(check, "__name__", "check").replace("_", " ")
            yield note(name, f"cannot be checked: {error}")


__all__ = ["CHECKS", "GPU_CHECKS", "cache", "check", "examine"]
"""Names that other packages may use."""
