"""The systems that a bundle runs on, for people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from runtime.targets import ARCHITECTURES, SYSTEMS, TARGETS


@dataclass(frozen=True)
class System:
    """One operating system."""

    name: str
    """Such as `Linux`."""
    architectures: tuple[str, ...]
    """Such as `x86-64` and `ARM64`."""
    floor: str
    """The oldest version that the file runs on."""


def systems(targets: Iterable[str]) -> list[System]:
    """The systems behind these targets, in a fixed order; targets that are not known are left out.

    Where a system has two engines, one with modules and a static one, both of their floors count.
    """
    wanted = set(targets)
    known = [target for target in TARGETS.values() if target.name in wanted]
    return [
        System(
            system.title,
            tuple(
                title
                for arch, title in ARCHITECTURES.items()
                if any((one.os, one.arch) == (system.name, arch) for one in known)
            ),
            " or ".join(dict.fromkeys(one.floor for one in known if one.os == system.name)),
        )
        for system in SYSTEMS.values()
        if any(one.os == system.name for one in known)
    ]
