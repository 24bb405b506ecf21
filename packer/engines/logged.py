"""Programs whose output goes into a log; a failure names the log and the reason."""

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

    def __init__(self, doing: str, tip: str, status: int, output: list[str]) -> None:
        self.status = status
        """Negative: the signal that ended it."""
        self.output = output
        """The lines that it printed, without blank ones."""
        self.error = _first_error(output)[:_LONGEST]
        """The first line with an error; empty if there is none."""
        super().__init__(f"{doing} failed: {self.error or f'status {status}'}", tip)


def _first_error(output: list[str]) -> str:
    for at, line in enumerate(output):
        if _ERROR.search(line):
            # The message follows `CMake Error at FILE:LINE (COMMAND):`.
            incomplete = line.startswith("CMake Error") and line.endswith(":")
            return " ".join(output[at : at + 2]) if incomplete else line
    return ""


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
    """Run `command`, append its output to `log`, and pass each line to `on_line`.

    Args:
        doing: what it does, for the message of a failure: `compiling linux-x86_64`.

    Raises:
        InputError: it cannot be started.
        Failed: it ended with a status other than 0.
    """
    words = [str(word) for word in command]
    with log.open("a", encoding="utf-8", errors="replace") as record:
        record.write(f"$ {' '.join(words)}\n")
        record.flush()
        began = log.stat().st_size
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
                    on_line(line)
            except BaseException:
                # Ctrl-C, or a full disk under the log: leave no compiler running behind.
                _stop(process)
                raise
    if process.returncode:
        with log.open("rb") as file:
            file.seek(began)
            lines = map(str.strip, file.read().decode("utf-8", "replace").splitlines())
        tip = f"The whole output is in `{log}`."
        raise Failed(doing, tip, process.returncode, list(filter(None, lines)))


def _stop(process: subprocess.Popen[str]) -> None:
    """End a program and its children, which share a session for this purpose."""
    if sys.platform == "win32":
        process.terminate()
    else:
        os.killpg(process.pid, signal.SIGTERM)
