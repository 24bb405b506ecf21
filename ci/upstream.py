"""Builds upstream's own programs from the pinned source, as upstream would on this machine.

Usage: python -m ci.upstream [PROGRAM…]

They are what a bundle is compared with: the answers of `llama-completion` byte for byte, which is
what the tests need, and the speed of `llama-bench` as a ratio. Nothing of ours goes into them: no
hooks, no modules, `-march=native`, and the machine's own compiler where it has one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from ci.ending import status_of
from packer.engines import layout, logged, native, pins, source, toolchain
from packer.engines.pins import Pins
from packer.io import build_cache
from packer.io.console import note

COMPLETION, BENCH = "llama-completion", "llama-bench"

_ONE_HEADER = Path(__file__).with_suffix(".cmake")

_OPTIMIZED = {
    # Nobody waits for its answers; most of the time that it takes is that of the compiler.
    COMPLETION: "-O1 -DNDEBUG",
    BENCH: "-O3 -DNDEBUG",
}
"""What C++ is compiled with; C, which most of the arithmetic is in, always as upstream has it."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.upstream", description=__doc__)
    parser.add_argument(
        "programs", nargs="*", metavar="PROGRAM", default=[COMPLETION],
        help=f"{COMPLETION} (default) or {BENCH}",
    )  # fmt: skip
    programs = parser.parse_args().programs
    for name in programs:
        if name not in _OPTIMIZED:
            parser.error(f"there is no {name} to build, only {' and '.join(_OPTIMIZED)}")
    return status_of(lambda: print(*map(ready, programs), sep="\n"))


def ready(name: str) -> Path:
    """One of upstream's programs; built once and kept in the build cache.

    Args:
        name: `COMPLETION` or `BENCH`.

    Raises:
        InputError: a tool is missing or a step fails; the message names the log.
    """
    pinned = pins.load(native.directory())
    program = build_cache.root() / "upstream" / pinned.release / name
    if program.exists():
        return program
    note(f"building upstream's {name} for comparison")
    work = layout.build(f"upstream-{name}")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    _compile(name, pinned, work)
    with layout.unfinished(program.parent) as folder:
        Path(shutil.copy2(work / "bin" / name, folder)).rename(program)
    shutil.rmtree(work, ignore_errors=True)
    return program


def _compile(name: str, pinned: Pins, work: Path) -> None:
    tools = toolchain.find(pinned)
    configure: list[str | Path] = [
        tools.cmake, "-S", source.ready(pinned), "-B", work, "-G", "Ninja",
        f"-DCMAKE_MAKE_PROGRAM={tools.ninja}", f"-DCMAKE_CXX_FLAGS_RELEASE={_OPTIMIZED[name]}",
        "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=OFF", "-DGGML_NATIVE=ON",
        "-DGGML_CCACHE=OFF", "-DLLAMA_OPENSSL=OFF",
        "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_SERVER=OFF",
        "-DLLAMA_BUILD_APP=OFF", "-DLLAMA_BUILD_UI=OFF", "-DLLAMA_USE_PREBUILT_UI=OFF",
    ]  # fmt: skip
    if not shutil.which("c++"):
        configure += [
            f"-DCMAKE_C_COMPILER={tools.zig};cc",
            f"-DCMAKE_CXX_COMPILER={tools.zig};c++",
        ]
    else:
        configure.append(f"-DCMAKE_PROJECT_llama.cpp_INCLUDE={_ONE_HEADER}")
    # ggml takes SOURCE_DATE_EPOCH for a wish not to use this machine's instructions.
    env = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    log = layout.log("upstream")
    logged.start(log)
    logged.run(configure, f"configuring {name}", log, env=env)
    logged.run([tools.ninja, "-C", work, name], f"compiling {name}", log, env=env)


if __name__ == "__main__":
    sys.exit(main())
