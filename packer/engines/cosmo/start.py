"""How Cosmopolitan's own tools are started: they are APE programs, or shell scripts."""

from __future__ import annotations

from pathlib import Path

from runtime.machine.head import SIZE, kind_of


def start_command(tool: Path) -> list[str]:
    """The first words of a command line.

    `execve`, by which Python starts programs, refuses APE files where no loader is registered for
    them; a shell takes them for scripts.
    """
    with tool.open("rb") as file:
        head = file.read(SIZE)
    return ["sh", str(tool)] if kind_of(head).is_ape else [str(tool)]
