"""Bundles on a Windows of their own."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

TARGET = "windows-x86_64"


@dataclasses.dataclass
class Windows:
    """A bundle on a Windows of its own."""

    bundle: Path
    prefix: Path
    runner: Path
    cache: Path
    env: dict[str, str]

    def wine(self, *command: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["wine", *map(str, command)], env={**self.env, **env}, capture_output=True,
            encoding="utf-8", errors="replace", check=False, timeout=300, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def run(self, tail: str = "", **env: str) -> tuple[dict[str, str], str]:
        """What the engine says when the bundle starts with this command line, and errors.

        Wine itself quotes what it is given, so a runner has to start the bundle.
        """
        done = self.wine(self.runner, self.line(tail), **env)
        lines = (line.partition(" ") for line in done.stdout.splitlines())
        # Wine has something to say about drives.
        errors = [line for line in done.stderr.splitlines() if not line.startswith("wine: ")]
        return {name: value for name, _, value in lines}, "\n".join(errors)

    def line(self, tail: str) -> str:
        file = self.bundle.parent.parent / "line"
        file.write_text(f"{windows_path(self.bundle)}\n{tail}", encoding="utf-8")
        return windows_path(file)

    @property
    def engines(self) -> list[Path]:
        return sorted(path for path in (self.cache / "engines").iterdir() if path.is_dir())


def windows_path(path: Path) -> str:
    return "Z:" + str(path).replace("/", "\\")
