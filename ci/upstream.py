"""Builds upstream's own programs from the pinned source, without anything of ours.

Usage: python -m ci.upstream [PROGRAM…]

They are what a bundle is compared with. Answers of `llama-completion` are compared byte for byte,
so it has the compiler and the instruction set of this machine's static engine: others round in
other ways. The speed of `llama-bench` counts, so it is built as upstream would build it here: with
the machine's own compiler, where it has one, for the machine's own processor.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
from pathlib import Path

from ci.ending import status_of
from packer.engines import layout, logged, native, pins, source, targets, toolchain
from packer.engines.cmake import Project, compile_project
from packer.engines.pins import Pins
from packer.engines.targets import Target
from packer.io import build_cache
from packer.io.console import note

_FEATURES = ("SSE42", "AVX", "AVX2", "BMI2", "FMA", "F16C")
"""Those of the static engine on x86-64; elsewhere they mean nothing."""

COMPLETION, BENCH = "llama-completion", "llama-bench"

_DEFINITIONS = {
    "CMAKE_BUILD_TYPE": "Release", "BUILD_SHARED_LIBS": "OFF",
    "GGML_CCACHE": "OFF", "LLAMA_OPENSSL": "OFF",
    "LLAMA_BUILD_TESTS": "OFF", "LLAMA_BUILD_EXAMPLES": "OFF", "LLAMA_BUILD_SERVER": "OFF",
    "LLAMA_BUILD_APP": "OFF", "LLAMA_BUILD_UI": "OFF", "LLAMA_USE_PREBUILT_UI": "OFF",
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.upstream", description=__doc__)
    parser.add_argument(
        "programs", nargs="*", metavar="PROGRAM", default=[COMPLETION],
        help=f"{COMPLETION} (default) or {BENCH}",
    )  # fmt: skip
    programs = parser.parse_args().programs
    for name in programs:
        if name not in (COMPLETION, BENCH):
            parser.error(f"there is no {name} to build, only {COMPLETION} and {BENCH}")
    return status_of(lambda: print(*map(ready, programs), sep="\n"))


def ready(name: str) -> Path:
    """One of upstream's programs; built once and kept in the build cache.

    Args:
        name: `COMPLETION` or `BENCH`.

    Raises:
        InputError: a tool is missing or a step fails; the message names the log.
    """
    pinned = pins.load(native.directory())
    target = targets.for_this_machine()[-1]
    kind = target.name if name == COMPLETION else "native"
    program = build_cache.root() / "upstream" / pinned.release / kind / name
    if program.exists():
        return program
    note(f"building upstream's {name} for comparison")
    work = layout.build(f"upstream-{name}")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    if name == COMPLETION:
        _compile_as_engine(name, pinned, target, work)
    else:
        _compile_for_speed(name, pinned, work)
    with layout.unfinished(program.parent) as folder:
        Path(shutil.copy2(work / "bin" / name, folder)).rename(program)
    shutil.rmtree(work, ignore_errors=True)
    return program


def _compile_as_engine(name: str, pinned: Pins, target: Target, work: Path) -> None:
    """With what `native/CMakeLists.txt` sets, as far as it decides what is computed."""
    definitions = _DEFINITIONS | {
        "LLAMAPACK_ZIG_TARGET": target.zig, "GGML_NATIVE": "OFF", "GGML_OPENMP": "OFF",
        # Nobody waits for its answers; most of the time that it takes is that of the compiler.
        "CMAKE_CXX_FLAGS_RELEASE": "-O1 -DNDEBUG -g0",
    }  # fmt: skip
    definitions |= {f"GGML_{feature}": "ON" for feature in _FEATURES}
    log, sources = layout.log("upstream"), source.ready(pinned)
    logged.start(log)
    project = Project(name, sources, native.directory(), work, log)
    tools = toolchain.find(pinned)
    compile_project(project, definitions, name, os.cpu_count() or 1, tools=tools, pins=pinned)


def _compile_for_speed(name: str, pinned: Pins, work: Path) -> None:
    tools = toolchain.find(pinned)
    definitions = _DEFINITIONS | {"CMAKE_MAKE_PROGRAM": str(tools.ninja), "GGML_NATIVE": "ON"}
    if not shutil.which("c++"):
        definitions["CMAKE_C_COMPILER"] = f"{tools.zig};cc"
        definitions["CMAKE_CXX_COMPILER"] = f"{tools.zig};c++"
    elif platform.machine() == "x86_64":
        # What gcc 12 makes of upstream's code for AMX crashes.
        flags = "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"
        definitions |= {f"CMAKE_{language}_FLAGS": flags for language in ("C", "CXX")}
    # ggml takes SOURCE_DATE_EPOCH for a wish not to use this machine's instructions.
    env = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    log = layout.log("upstream")
    logged.start(log)
    configure: list[str | Path] = [
        *(tools.cmake, "-S", source.ready(pinned), "-B", work, "-G", "Ninja"),
        *(f"-D{variable}={value}" for variable, value in definitions.items()),
    ]
    logged.run(configure, f"configuring {name}", log, env=env)
    logged.run([tools.ninja, "-C", work, name], f"compiling {name}", log, env=env)


if __name__ == "__main__":
    sys.exit(main())
