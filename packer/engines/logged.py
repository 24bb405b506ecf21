"""Runs programs with everything they print in a log; a failure names the log and the reason."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runtime.errors import InputError

_ERROR = re.compile(r"(^|[\s:])error: |^npm error |^CMake Error")
_LONGEST = 240


class Failed(InputError):
    """A program ended with a status other than 0."""

    def __init__(self, doing: str, tip: str, status: int, error: str) -> None:
        super().__init__(f"{doing} failed: {error or f'status {status}'}", tip)
        self.status = status
        """Negative: the signal that ended it."""
        self.error = error
        """The first line that says what went wrong; empty if none does."""


class _FirstError:
    """Remembers the first line that says what went wrong."""

    def __init__(self) -> None:
        self.line = ""

    def see(self, line: str) -> None:
        text = line.strip()
        if self.line:
            # `CMake Error at FILE:LINE (COMMAND):` is followed by the message proper.
            if self.line.startswith("CMake Error") and self.line.endswith(":") and text:
                self.line += f" {text}"
        elif _ERROR.search(text):
            self.line = text


def start(log: Path) -> None:
    """Empty the log of an earlier attempt."""
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("", encoding="utf-8")


def run(
    command: Sequence[str | Path],
    doing: str,
    log: Path,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] = lambda line: None,
) -> None:
    """Run `command`, append its output to `log`, and hand each line to `on_line`.

    Args:
        doing: what it does, for the message of a failure: `compiling linux-x86_64`.

    Raises:
        InputError: it cannot be started.
        Failed: it ended with a status other than 0.
    """
    words = [str(word) for word in command]
    first = _FirstError()
    with log.open("a", encoding="utf-8", errors="replace") as record:
        record.write(f"$ {' '.join(words)}\n")
        record.flush()
        try:
            process = subprocess.Popen(
                words,
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except OSError as problem:
            raise InputError(f"{doing}: {words[0]}: {problem.strerror}") from None
        with process:
            assert process.stdout
            try:
                for line in process.stdout:
                    record.write(line)
                    record.flush()
                    first.see(line)
                    on_line(line)
            except BaseException:
                # Ctrl-C, or a full disk under the log: leave no compiler running behind.
                _stop(process)
                raise
    if process.returncode:
        tip = f"The whole output is in `{log}`."
        raise Failed(doing, tip, process.returncode, first.line[:_LONGEST])


def _stop(process: subprocess.Popen[str]) -> None:
    """End a program and its children, which share a session for this purpose."""
    if sys.platform == "win32":
        process.terminate()
    else:
        os.killpg(process.pid, signal.SIGTERM)
