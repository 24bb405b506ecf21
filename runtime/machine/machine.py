"""The machine that something is to run on: its system, mounts, and the engines that it can start.

Everything is asked through `Machine`, so that tests can make machines up.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runtime.machine.targets import ARCHITECTURE_NAMES, STATIC, SYSTEMS, TARGETS

_SYSTEMS = {one.kernel: one.name for one in SYSTEMS.values()}
_PROGRAM_SECONDS = 10
_STATIC_NEEDS = ("avx2", "fma", "f16c", "bmi2")
_OLDEST_FOR_MEMORY = (3, 19)  # the Linux that brought execveat, later than memfd_create


@dataclass(frozen=True)
class Machine:
    """An operating system, a processor, an environment and a tree of files."""

    system: str
    """As in the names of targets: `linux`, `macos`, `windows`, `freebsd`, …"""
    arch: str
    """As in the names of targets: `x86_64`, `aarch64`, …"""
    env: Mapping[str, str] = field(default_factory=dict)
    user: int = 0
    """Effective user id; 0 where the system has none."""
    root: Path = Path("/")
    """Where the system's own files (`/proc`, `/usr/lib`, `/tmp`) begin."""
    listed: Callable[[Path], list[str]] = os.listdir
    """Names in a directory, in the order of the system, which matters for binfmt_misc."""

    @classmethod
    def this(cls) -> Machine:
        """The machine that this process runs on."""
        system, arch = platform.system(), platform.machine().lower()
        # Windows has no user ids.
        user = getattr(os, "geteuid", int)()
        return cls(
            _SYSTEMS.get(system, system.lower()),
            ARCHITECTURE_NAMES.get(arch, arch),
            dict(os.environ),
            int(user),
        )

    @property
    def target(self) -> str:
        """The target of engines for it, such as `linux-x86_64`."""
        return f"{self.system}-{self.arch}"

    @property
    def static_target(self) -> str:
        """The target of engines for it that need no C library."""
        return self.target + STATIC

    @property
    def guest(self) -> str:
        """The target whose engines it emulates, or empty."""
        known = TARGETS.get(self.target)
        return known.guest if known else ""

    def path(self, absolute: str) -> Path:
        """The path of a file of the system."""
        return self.root / absolute.lstrip("/")

    def text(self, absolute: str) -> str:
        """The contents of a file of the system; empty if it cannot be read."""
        try:
            return self.path(absolute).read_text("utf-8", "replace")
        except OSError:
            return ""

    def program(self, name: str) -> Path | None:
        """The program that a shell finds by this name."""
        found = shutil.which(name, path=self.env.get("PATH", os.defpath))
        return Path(found) if found else None

    def output(self, *command: str | Path) -> str | None:
        """The output of a program; None if it does not start, fails or takes 10 seconds."""
        try:
            done = subprocess.run(
                [str(word) for word in command],
                env=dict(self.env),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_PROGRAM_SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.decode("utf-8", "replace")


def has_glibc(machine: Machine) -> bool:
    """Whether Linux has the loader that engines with modules need."""
    known = TARGETS.get(machine.target)
    return known is not None and all(machine.path(name).exists() for name in known.loaders)


def missing_for_static(machine: Machine) -> list[str] | None:
    """Features that static engines need and the processor lacks; None if unknown."""
    flags = re.search(r"^flags\s*:(.*)$", machine.text("/proc/cpuinfo"), re.MULTILINE)
    if machine.target != "linux-x86_64" or not flags:
        return None
    return [name.upper() for name in _STATIC_NEEDS if name not in flags[1].split()]


@dataclass(frozen=True)
class Candidate:
    """An engine that may start here."""

    target: str
    loader: Path | None = None
    """The dynamic loader that it needs, if any."""


def candidates(machine: Machine) -> list[Candidate]:
    """The engines that may start, first choice first, as native/stub/target_choice.c has it."""
    if machine.static_target not in TARGETS:
        return [Candidate(name) for name in (machine.target, machine.guest) if name]
    found = []
    if has_glibc(machine):
        loader = machine.path(TARGETS[machine.target].loaders[0])
        found.append(Candidate(machine.target, loader))
    if not missing_for_static(machine):
        found.append(Candidate(machine.static_target))
    return found


def memory_start_trouble(machine: Machine) -> tuple[str, str] | None:
    """Why Linux does not let a native stub start the static engine without any directory, with
    the command that fixes it or an empty text; None if it does."""
    release = machine.text("/proc/sys/kernel/osrelease").strip()
    version = tuple(map(int, re.findall(r"\d+", release)[:2]))
    if machine.text("/proc/sys/vm/memfd_noexec").strip() == "2":
        return "vm.memfd_noexec is 2", "`sudo sysctl vm.memfd_noexec=1`"
    if version and version < _OLDEST_FOR_MEMORY:
        return f"Linux {release} is older than 3.19", ""
    return None


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
    """The mount of `path`, by Linux' proc_pid_mountinfo(5); None on other systems."""
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
