"""Runs a program that never outlives this one, not even if this one is killed.

On POSIX a small keeper is between the two. It is the program's parent, and reads from a pipe
whose other end this process holds: when that ends, in whatever way, so does the pipe, and the
keeper ends the program. Children that were forked hold the pipe, too, so the keeper also looks
whether its parent is still there. On Linux the kernel ends the program if the keeper is killed, too
(`PR_SET_PDEATHSIG`, which counts threads and not processes: so the keeper has one only). On other
systems a program whose keeper is killed stays. On Windows the system ends it by way of a job.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

_PATIENCE = 15.0  # seconds until a program that was asked to end is killed


class Kept:
    """A program that runs; a context manager, at whose end it has ended."""

    def __init__(
        self, program: Path, argv: Sequence[str], environment: Mapping[str, str], said: BinaryIO
    ) -> None:
        """Describe it.

        Args:
            argv: its words; the first is its own name.
            environment: additions to its environment.
            said: a file that gets its output and its errors.
        """
        self._program, self._argv, self._said = str(program), list(argv), said
        self._environment = os.environ | environment
        self._process: subprocess.Popen[bytes]
        self._job: object = None

    def __enter__(self) -> Kept:
        if sys.platform == "win32":
            from runtime.launch.windows_job import die_together

            self._process = subprocess.Popen(
                self._argv, executable=self._program, env=self._environment,
                stdin=subprocess.DEVNULL, stdout=self._said, stderr=self._said,
                creationflags=subprocess.CREATE_NO_WINDOW,
            )  # fmt: skip
            self._job = die_together(self._process)
            return self
        keeper = Path(__file__).with_name("keeper_process.py")
        # A session of its own: Ctrl-C in a terminal or a notebook is for this program.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(keeper), self._program, *self._argv],
            env=self._environment, stdin=subprocess.PIPE, stdout=self._said, stderr=self._said,
            start_new_session=True,
        )  # fmt: skip
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.stdin:
            self._process.stdin.close()
            # The pipe stays open where the body has forked and its child lives.
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE + 5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None
