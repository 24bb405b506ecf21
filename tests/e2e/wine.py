"""Starting Windows programs under Wine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest


class Wine:
    """A Windows of its own, with a user and a cache of its own."""

    def __init__(self, prefix: Path) -> None:
        program = shutil.which("wine")
        if program is None:
            pytest.skip("no wine here: no Windows program can be started (apt-get install wine)")
        kept = {k: v for k, v in os.environ.items() if k not in ("LLAMAPACK_CACHE", "DISPLAY")}
        self._wine = program
        self._env = kept | {"WINEPREFIX": str(prefix), "WINEDEBUG": "-all", "LC_ALL": "C.UTF-8"}
        self._call("wineboot", "--init", timeout=300)

    @property
    def system32(self) -> Path:
        return Path(self._env["WINEPREFIX"], "drive_c", "windows", "system32")

    @property
    def local_app_data(self) -> Path:
        """Where Windows programs keep what is theirs."""
        (folder,) = Path(self._env["WINEPREFIX"]).glob("drive_c/users/*/AppData/Local")
        return folder

    def run(
        self, program: Path, *words: str, cwd: Path | None = None, timeout: int = 240, **env: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Start a Windows program with nothing to read, and wait for its end."""
        return self._call(str(program), *words, cwd=cwd, timeout=timeout, **env)

    @contextmanager
    def started(self, program: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """A Windows program that runs until the body ends."""
        quiet = subprocess.DEVNULL
        command: Sequence[str] = [self._wine, str(program), *words]
        process = subprocess.Popen(command, env=self._env, stdin=quiet, stdout=quiet, stderr=quiet)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)

    def console(self, program: Path, *words: str) -> pexpect.spawn[bytes]:
        """A Windows program in a terminal."""
        return pexpect.spawn(self._wine, [str(program), *words], env=self._env, timeout=120)

    def stop(self) -> None:
        """End all programs of this Windows."""
        subprocess.run(["wineserver", "-k"], env=self._env, check=False, timeout=60)

    def _call(
        self, *words: str, timeout: int, cwd: Path | None = None, **env: str
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [self._wine, *words],
            cwd=cwd,
            env=self._env | env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=timeout,
        )
