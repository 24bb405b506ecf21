"""Builds upstream's own programs from the pinned source, as upstream would on this machine.

They are what a bundle is compared with: its answers byte for byte, its speed as a ratio. Nothing
of ours goes into them: no hooks, no modules, `-march=native`, and the machine's own compiler where
it has one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from packer import build_cache
from packer.console import note
from packer.engine import native, pins, source, toolchain

PROGRAMS = ("llama-completion", "llama-bench")


def ready() -> Path:
    """The folder with upstream's programs; built once and kept in the build cache.

    Returns:
        a folder that holds `PROGRAMS`.
    """
    pinned = pins.load(native.directory())
    place = build_cache.root() / "upstream" / pinned.release
    if all((place / name).exists() for name in PROGRAMS):
        return place
    note(f"building upstream's {' and '.join(PROGRAMS)} for comparison")
    work = build_cache.root() / "build" / "upstream"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    _compile(source.ready(pinned), work)
    partial = place.with_suffix(f".{os.getpid()}")
    partial.mkdir(parents=True)
    for name in PROGRAMS:
        shutil.copy2(work / "bin" / name, partial / name)
    shutil.rmtree(place, ignore_errors=True)
    partial.rename(place)
    shutil.rmtree(work, ignore_errors=True)
    return place


def _compile(llama_cpp: Path, work: Path) -> None:
    tools = toolchain.find(pins.load(native.directory()))
    words: list[str | Path] = [
        tools.cmake, "-S", llama_cpp, "-B", work, "-G", "Ninja",
        f"-DCMAKE_MAKE_PROGRAM={tools.ninja}",
        "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=OFF", "-DGGML_NATIVE=ON",
        "-DGGML_CCACHE=OFF", "-DLLAMA_OPENSSL=OFF",
        "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_SERVER=OFF",
        "-DLLAMA_BUILD_APP=OFF", "-DLLAMA_BUILD_UI=OFF", "-DLLAMA_USE_PREBUILT_UI=OFF",
    ]  # fmt: skip
    if not shutil.which("c++"):
        words += [
            f"-DCMAKE_C_COMPILER={tools.zig};cc",
            f"-DCMAKE_CXX_COMPILER={tools.zig};c++",
        ]
    # ggml takes SOURCE_DATE_EPOCH for a wish not to use this machine's instructions.
    env = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    log = work / "build.log"
    with log.open("wb") as out:
        for command in (words, [tools.ninja, "-C", work, *PROGRAMS]):
            if subprocess.run(command, stdout=out, stderr=out, env=env, check=False).returncode:
                sys.exit(f"ERROR building upstream failed; see {log}")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(ready())
