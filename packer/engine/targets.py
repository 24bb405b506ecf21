"""The targets: what systems engines can be built for, and how zig calls them."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from runtime.errors import InputError


@dataclass(frozen=True)
class Target:
    """One row of the table; every field goes into the key of the engines built for it."""

    name: str
    """As in the bundle format: operating system, architecture, `-static` if it needs no libc."""
    zig: str
    """zig's `-target`, with the oldest system version that it supports."""
    os: str
    arch: str
    static: bool
    """One executable without modules; else ggml's libraries and CPU variants lie beside it."""
    executable: str = "llamapack-engine"


# glibc 2.17 (2013) is the oldest that zig offers; musl programs need nothing but the kernel.
_TABLE = (
    Target("linux-x86_64", "x86_64-linux-gnu.2.17", "linux", "x86_64", static=False),
    Target("linux-x86_64-static", "x86_64-linux-musl", "linux", "x86_64", static=True),
    Target("linux-aarch64", "aarch64-linux-gnu.2.17", "linux", "aarch64", static=False),
    Target("linux-aarch64-static", "aarch64-linux-musl", "linux", "aarch64", static=True),
)

TARGETS = {target.name: target for target in _TABLE}

_OS = {"Linux": "linux", "Darwin": "macos", "Windows": "windows"}
_ARCH = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


def named(name: str) -> Target:
    """The target of that name.

    Raises:
        InputError: there is none.
    """
    if name not in TARGETS:
        raise InputError(f"unknown target `{name}`", f"the targets are: {', '.join(TARGETS)}")
    return TARGETS[name]


def for_this_machine() -> list[Target]:
    """The targets whose engines run here; on Linux the one with modules and the static one.

    Raises:
        InputError: there is none.
    """
    system, machine = platform.system(), platform.machine()
    os, arch = _OS.get(system, system.lower()), _ARCH.get(machine.lower(), machine)
    rows = [target for target in _TABLE if (target.os, target.arch) == (os, arch)]
    if not rows:
        raise InputError(
            f"there is no engine for this machine ({system} on {machine}) yet",
            f"name one to build it anyway: `llamapack engine build {_TABLE[0].name}`",
        )
    return rows
