"""Runs CMake and ninja over llama.cpp's sources, with zig as the compiler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from packer.engines import layout, logged
from packer.engines.pins import Pins
from packer.engines.toolchain import Toolchain, clean_environment, ninja_progress


@dataclass(frozen=True)
class Project:
    """What is built, and where."""

    label: str
    """For people, such as a target's name."""
    sources: Path
    """Folder of its `CMakeLists.txt`."""
    native: Path
    """The `native/` folder that it is a part of."""
    out: Path
    log: Path


def compile_project(
    project: Project,
    definitions: Mapping[str, str],
    goal: str,
    jobs: int,
    *,
    tools: Toolchain,
    pins: Pins,
) -> None:
    """Configure a project and build `goal` of it.

    Args:
        definitions: CMake variables in addition to those of the toolchain file.
        jobs: how many compilers run at once.

    Raises:
        InputError: a step fails; the message names the log.
    """
    all_definitions = dict(definitions) | {
        "CMAKE_MAKE_PROGRAM": str(tools.ninja),
        "CMAKE_TOOLCHAIN_FILE": str(project.native / "cmake" / "zig-toolchain.cmake"),
        "LLAMAPACK_ZIG": str(tools.zig),
    }
    # With the answers of an earlier configuration the result would depend on history.
    (project.out / "CMakeCache.txt").unlink(missing_ok=True)
    configure: list[str | Path] = [
        *(tools.cmake, "-S", project.sources, "-B", project.out, "-G", "Ninja"),
        *(f"-D{variable}={value}" for variable, value in all_definitions.items()),
    ]
    env = build_environment(pins)
    logged.run(configure, f"configuring {project.label}", project.log, env=env)
    with ninja_progress(project.label) as on_line:
        # ninja itself, not `cmake --build`: it stops its compilers when it is told to end.
        words: list[str | Path] = [tools.ninja, "-C", project.out, "-j", str(jobs), goal]
        logged.run(words, f"compiling {project.label}", project.log, env=env, on_line=on_line)


def build_environment(pins: Pins) -> dict[str, str]:
    """The environment of every build step."""
    return clean_environment() | {
        "SOURCE_DATE_EPOCH": str(pins.date),
        "ZERO_AR_DATE": "1",
        "ZIG_GLOBAL_CACHE_DIR": str(layout.zig_cache() / "global"),
        "ZIG_LOCAL_CACHE_DIR": str(layout.zig_cache() / "local"),
    }
