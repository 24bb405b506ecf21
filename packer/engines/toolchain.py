"""The build tools, all from PyPI: zig (compiler, linker, C libraries), cmake and ninja."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from packer.engines.pins import Pins
from packer.io.console import Advance, progress
from runtime.errors import InputError

_INSTALL = "Install all build tools with `pip install 'llamapack[build]'`."
_KEPT = ("PATH", "HOME", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "USERPROFILE", "COMSPEC")
_NINJA_STATUS = "[%f/%t] "
_NINJA_STEP = re.compile(r"\[(\d+)/(\d+)\] ")
_SHORT = 3
"""Builds of up to this many steps get no progress display."""


@dataclass(frozen=True)
class Toolchain:
    """The programs that build engines."""

    zig: Path
    cmake: Path
    ninja: Path

    def versions(self) -> dict[str, str]:
        """Version of each tool by its name."""
        return {
            "zig": _first_line(self.zig, "version"),
            "cmake": _first_line(self.cmake, "--version").removeprefix("cmake version "),
            "ninja": _first_line(self.ninja, "--version"),
        }


def find(pins: Pins) -> Toolchain:
    """The tools of this Python environment, else those in PATH.

    Raises:
        InputError: one is missing, or zig is not the pinned version.
    """
    tools = Toolchain(_zig(), program("cmake"), program("ninja"))
    version = _first_line(tools.zig, "version")
    if version != pins.zig:
        raise InputError(
            f"{tools.zig}: engines are built with zig {pins.zig}, this is {version}",
            f"`pip install ziglang=={pins.zig}`",
        )
    return tools


def _zig() -> Path:
    spec = importlib.util.find_spec("ziglang")
    for place in (spec and spec.submodule_search_locations) or ():
        if found := shutil.which("zig", path=place):
            return Path(found)
    return program("zig")


def program(name: str) -> Path:
    """The program of that name in this Python environment, else in PATH.

    Raises:
        InputError: it is not installed.
    """
    for path in (sysconfig.get_path("scripts"), None):
        if found := shutil.which(name, path=path):
            return Path(found)
    raise InputError(f"`{name}` is not installed; engines are built with it", _INSTALL)


def _first_line(*command: str | Path) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as problem:
        raise InputError(f"{command[0]}: does not run: {problem}", _INSTALL) from None
    return (done.stdout.splitlines() or [""])[0].strip()


def clean_environment() -> dict[str, str]:
    """The environment of a build, without variables such as CFLAGS that could change its result."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | {"LC_ALL": "C", "NINJA_STATUS": _NINJA_STATUS}


def ninja_step(line: str) -> tuple[int, int] | None:
    """`(finished, total)` from a line that ninja prints for a step; None for other lines."""
    found = _NINJA_STEP.match(line)
    return (int(found[1]), int(found[2])) if found else None


@contextmanager
def ninja_progress(label: str) -> Iterator[Callable[[str], None]]:
    """Show ninja's progress: a bar on a terminal, elsewhere a line every 10 seconds.

    Yields:
        a function to call with each line that ninja prints.
    """
    done, whole = 0, 0
    advance: Advance | None = None
    with ExitStack() as bar:

        def on_line(line: str) -> None:
            nonlocal done, whole, advance
            if not (numbers := ninja_step(line)):
                return
            finished, total = numbers
            # Ninja first counts the few steps that update its own build plan. The longer count of
            # the build replaces it, and short counts after that are not shown.
            if total > whole and total > _SHORT:
                bar.close()
                done, whole = 0, total
                advance = bar.enter_context(progress(label, total, "step"))
            if advance and total == whole and finished > done:
                advance(finished - done)
                done = finished

        yield on_line
