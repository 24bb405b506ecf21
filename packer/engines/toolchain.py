"""The build tools, all from PyPI: zig (compiler, linker, C libraries), cmake and ninja."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from packer.engines.pins import Pins
from runtime.errors import InputError

_INSTALL = "Install all build tools with `pip install 'llamapack[build]'`."


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
    """A console script of this environment, else a system's program of that name.

    Raises:
        InputError: there is neither.
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
