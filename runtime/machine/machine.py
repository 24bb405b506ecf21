"""The machine that is looked at. Checks ask only this, so that tests can make machines up."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runtime.machine.targets import ARCHITECTURE_NAMES, STATIC, SYSTEMS, TARGETS

_SYSTEMS = {one.kernel: one.name for one in SYSTEMS.values()}
_PROGRAM_SECONDS = 10


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
        """The target whose engines it emulates; empty if there is none."""
        known = TARGETS.get(self.target)
        return known.guest if known else ""

    def path(self, absolute: str) -> Path:
        """Where a file of the system lies."""
        return self.root / absolute.lstrip("/")

    def text(self, absolute: str) -> str:
        """The contents of a file of the system; empty if there is none or it cannot be read."""
        try:
            return self.path(absolute).read_text("utf-8", "replace")
        except OSError:
            return ""

    def program(self, name: str) -> Path | None:
        """The program that a shell finds by this name."""
        found = shutil.which(name, path=self.env.get("PATH", os.defpath))
        return Path(found) if found else None

    def output(self, *command: str | Path) -> str | None:
        """What a program prints; None if it does not start, fails or takes 10 seconds."""
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
