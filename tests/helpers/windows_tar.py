"""A stand-in for the tar.exe of Windows, which Wine does not have."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from helpers.compiled import folder_of, made
from helpers.repository import REPOSITORY
from packer.engines import toolchain

_SOURCES = (
    Path(__file__).parent / "tar_windows.c",
    *(
        REPOSITORY / "native" / "bundle" / f"{name}.c"
        for name in ("crc32", "huffman", "inflate", "zip_directory", "zip_extract")
    ),
)


def tar_stand_in(config: pytest.Config) -> Path:
    """The program; its reader of ZIPs is the engine's own, not libarchive."""
    command = [str(toolchain._zig()), "cc", "-target", "x86_64-windows.win10-gnu", "-O1", "-s"]
    command += [f"-I{_SOURCES[1].parent}", *map(str, _SOURCES), "-o"]
    folder = folder_of(config, "tar", _SOURCES)
    return made(folder / "tar.exe", lambda new: subprocess.run([*command, new], check=True))
