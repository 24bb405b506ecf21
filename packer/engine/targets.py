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
    floor: str
    """The oldest system that its engine and stub run on, for people."""

    @property
    def executable(self) -> str:
        """File name of the program; modules lie beside it."""
        return "llamapack-engine.exe" if self.os == "windows" else "llamapack-engine"

    @property
    def stub(self) -> str:
        """Name of the start stub: the static engine shares that of its system."""
        return self.name.removesuffix("-static")


def _target(name: str, zig: str, floor: str) -> Target:
    os, arch, *static = name.split("-")
    return Target(name, zig, os, arch, bool(static), floor)


# glibc 2.17 (2013), FreeBSD 14.0 and NetBSD 10.1 are the oldest that zig offers; of OpenBSD it has
# one release, without version numbers in its symbols. musl programs need nothing but the kernel.
_TABLE = (
    _target("linux-x86_64", "x86_64-linux-gnu.2.17", "glibc 2.17"),
    _target("linux-x86_64-static", "x86_64-linux-musl", "Linux 3.17"),
    _target("linux-aarch64", "aarch64-linux-gnu.2.17", "glibc 2.17"),
    _target("linux-aarch64-static", "aarch64-linux-musl", "Linux 3.17"),
    _target("macos-x86_64", "x86_64-macos.13.0", "macOS 13.0"),
    _target("macos-aarch64", "aarch64-macos.13.0", "macOS 13.0"),
    _target("windows-x86_64", "x86_64-windows.win10-gnu", "Windows 10"),
    _target("windows-aarch64", "aarch64-windows.win10-gnu", "Windows 10"),
    _target("freebsd-x86_64", "x86_64-freebsd.14.0", "FreeBSD 14.0"),
    _target("freebsd-aarch64", "aarch64-freebsd.14.0", "FreeBSD 14.0"),
    _target("openbsd-x86_64", "x86_64-openbsd", "OpenBSD 7.8"),
    _target("openbsd-aarch64", "aarch64-openbsd", "OpenBSD 7.8"),
    _target("netbsd-x86_64", "x86_64-netbsd.10.1", "NetBSD 10.1"),
    _target("netbsd-aarch64", "aarch64-netbsd.10.1", "NetBSD 10.1"),
)

TARGETS = {target.name: target for target in _TABLE}

_OS = {"Linux": "linux", "Darwin": "macos", "Windows": "windows"}
_ARCH = {
    "x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64",
    # What NetBSD calls 64-bit Arm.
    "evbarm": "aarch64",
}  # fmt: skip


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
