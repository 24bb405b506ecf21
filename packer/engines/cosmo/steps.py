"""Runs one step of a build; a failure names the tool, its exit status and its last lines."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from packer.engines import logged, ninja
from runtime.errors import InputError

_LINES = 3
_LONGEST = 400
_FAILED = re.compile(r"FAILED: (?:\[code=(\d+)\])?")
_TOOL = re.compile(r"[\w.+-]+-unknown-cosmo-(?:cc|c\+\+|ar)(?=\s)")


class _Ending:
    """The last lines of a step, and of ninja's steps the tool that failed first."""

    def __init__(self, tool: str) -> None:
        self.tool = tool
        self.status: int | None = None
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._see: Callable[[str], None] = self._collect

    def see(self, line: str) -> None:
        if text := line.strip():
            self._see(text)

    def _collect(self, text: str) -> None:
        if failed := _FAILED.match(text):
            self.status = int(failed[1]) if failed[1] else None
            self._see = self._read_command
        else:
            self._lines.append(text)

    def _read_command(self, text: str) -> None:
        """One line says what failed; the tool's output follows."""
        if tool := _TOOL.search(text):
            self.tool = tool[0]
        self._lines.clear()
        self._see = self._collect_its_own

    def _collect_its_own(self, text: str) -> None:
        if ninja.step(text) or text.startswith("ninja: "):
            self._see = lambda _: None
        else:
            self._lines.append(text)

    def __str__(self) -> str:
        return " | ".join(self._lines)[-_LONGEST:] or "it printed nothing"


def run(
    command: Sequence[str | Path],
    doing: str,
    log: Path,
    *,
    tool: str,
    env: Mapping[str, str],
    cwd: Path | None = None,
    on_line: Callable[[str], None] = lambda line: None,
    tip: str = "",
) -> None:
    """As `logged.run`.

    Args:
        tool: what the command starts, as people call it.
        tip: what to say before the name of the log.

    Raises:
        InputError: it cannot be started, or ended with a status other than 0.
    """
    ending = _Ending(tool)

    def see(line: str) -> None:
        ending.see(line)
        on_line(line)

    try:
        logged.run(command, doing, log, env=env, cwd=cwd, on_line=see)
    except logged.Failed as problem:
        status = problem.status if ending.status is None else ending.status
        said = "" if problem.error in str(ending) else f"{problem.error}; "
        raise InputError(
            f"{doing} failed: {said}`{ending.tool}` ended with status {status}: {ending}",
            f"{tip}{problem.tip}",
        ) from None
