"""Builds the engine of one target and puts it into the cache."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from packer.engines import (
    boringssl,
    cache,
    key,
    layout,
    logged,
    native,
    source,
    sums,
    toolchain,
    web_ui,
)
from packer.engines import pins as pinned
from packer.engines.cmake import Project, compile_project
from packer.engines.layout import locked
from packer.engines.pins import Pins
from packer.engines.targets import Target
from packer.engines.toolchain import Toolchain
from packer.head.elf import without_landing_pads
from packer.head.macho_signature import sign
from packer.io import build_cache
from packer.io.console import note
from runtime.errors import InputError

_NEEDED = 3_000_000_000
"""Bytes that sources, objects and zig's cache of one build may take."""

_GOAL = "llamapack-engine-files"
"""The CMake target that leaves the finished files in `engine/` of the build folder."""

_LIBRARIES = ("so", "dylib", "dll")
"""Endings of the file names of libraries."""


@dataclass(frozen=True)
class _Work:
    target: Target
    pins: Pins
    key: str
    toolchain: Toolchain
    folder: Path
    """Holds `native/` (what is compiled) and `out/` (CMake's build folder)."""
    log: Path


def build_web_ui() -> Path:
    """The folder of the current web UI; built if it is not in the cache.

    Raises:
        InputError: npm is missing or a step fails; the message names the log.
    """
    if found := web_ui.find():
        return found
    sources = native.directory()
    pins = pinned.load(sources)
    return web_ui.ready(pins, source.ready(pins), sources)


def build(target: Target, jobs: int | None = None) -> Path:
    """The folder of the current engine for `target`; built if it is not in the cache.

    Args:
        jobs: how many compilers run at once; None: one for each CPU.

    Raises:
        InputError: a tool is missing or a step fails; the message names the log.
    """
    with locked(layout.lock(target.name)):
        if found := cache.find(target.name):
            return found
        began = time.monotonic()
        work = _prepared(target)
        llama_cpp = source.ready(work.pins)
        note(f"building the engine for {target.name} (log: {work.log})")
        _compile(work, llama_cpp, jobs or os.cpu_count() or 1)
        place = _publish(work)
        minutes, seconds = divmod(round(time.monotonic() - began), 60)
        note(f"built the engine for {target.name} in {minutes} min {seconds} s")
        return place


def build_part(target: Target, library: str, jobs: int) -> Path:
    """Compile one library of the engine for `target`, to compare it with another build's.

    Args:
        library: its name in CMake, such as `ggml-base`.

    Returns:
        its path in the build folder, which stays until the next build for this target.

    Raises:
        InputError: the engine has no such library, a tool is missing, or a step fails.
    """
    with locked(layout.lock(target.name)):
        work = _prepared(target)
        _compile(work, source.ready(work.pins), jobs, library)
        out = work.folder / "out"
        found = [path for ending in _LIBRARIES for path in out.rglob(f"*{library}.{ending}")]
    if not found:
        raise InputError(f"the engine for {target.name} has no library {library}")
    return found[0]


def build_folder(target: Target, pins: Pins) -> Path:
    """Where `target` is compiled, with the objects of earlier builds of the same release."""
    return layout.build(target.name) / key.base_key(target, pins)[:16]


def _prepared(target: Target) -> _Work:
    """Check what can be checked early, and take a copy of the sources to compile.

    The folder stays after a build, so that the next one compiles only what changed: ninja compares
    commands, and the times of files that `native.snapshot` leaves alone.
    """
    sources = native.directory()
    folder = build_folder(target, pinned.load(sources))
    for other in folder.parent.glob("*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < _NEEDED:
        raise InputError(
            f"{build_cache.root()}: an engine build needs {_NEEDED / 1e9:.0f} GB of space, but "
            f"{free / 1e9:.1f}",
            "Free some space, or set `LLAMAPACK_BUILD_CACHE` to a directory on another disk.",
        )
    native.snapshot(sources, folder / "native")
    shutil.rmtree(folder / "out" / "engine", ignore_errors=True)
    pins = pinned.load(folder / "native")
    log = layout.log(target.name)
    logged.start(log)
    name = key.engine_key(target, pins, native.digests(folder / "native"))
    return _Work(target, pins, name, toolchain.find(pins), folder, log)


def _compile(work: _Work, llama_cpp: Path, jobs: int, goal: str = _GOAL) -> None:
    sources = work.folder / "native"
    project = Project(work.target.name, sources, sources, work.folder / "out", work.log)
    definitions = key.settings(work.target, work.pins) | {"LLAMA_SOURCE": str(llama_cpp)}
    if work.pins.boringssl:
        tls = boringssl.ready(
            work.target, work.pins, sources, tools=work.toolchain, log=work.log, jobs=jobs
        )
        definitions["LLAMAPACK_BORINGSSL"] = str(tls)
    compile_project(project, definitions, goal, jobs, tools=work.toolchain, pins=work.pins)


def _publish(work: _Work) -> Path:
    """Move the finished files into the cache, with their list and their facts, in one step."""
    made = work.folder / "out" / "engine"
    files = sorted(made.iterdir()) if made.is_dir() else []
    complete = made / work.target.executable in files
    if not complete or not all(path.is_file() for path in files):
        raise InputError(
            f"{_GOAL} left no `{work.target.executable}`, or a folder",
            f"The whole output is in `{work.log}`.",
        )
    _finish(work.target, files, work.log)
    (made / sums.NAME).write_text(sums.listing(files), encoding="utf-8", newline="")
    facts = {
        "built_with": work.toolchain.versions(),
        "files": len(files),
        "id": sums.read(made).id,
        "key": work.key,
        "llama.cpp": work.pins.release,
        "size": sum(path.stat().st_size for path in files),
        "target": work.target.name,
    }
    place = cache.folder(work.target.name, work.key)
    layout.publish(made, cache.FACTS, facts, place)
    return place


def _finish(target: Target, files: list[Path], log: Path) -> None:
    """Add what zig leaves out, set the modes, and check what can be checked without a start.

    Raises:
        InputError: the system would not load one of them.
    """
    # The checks need lief, which a machine without the build tools lacks.
    from packer.checks import check

    for path in files:
        if target.name == "macos-x86_64":  # zig signs what it links for arm64.
            path.write_bytes(sign(path.read_bytes(), path.name))
        elif target.os == "openbsd" and path.name == target.executable:
            path.write_bytes(without_landing_pads(path.read_bytes()))
        path.chmod(0o755 if path.name == target.executable else 0o644)
    problems = check(target.name, {path.name: path.read_bytes() for path in files})
    if problems:
        with log.open("a", encoding="utf-8") as file:
            file.writelines(f"{problem}\n" for problem in problems)
        raise InputError(
            f"the engine for {target.name} would not start there: {problems[0]}",
            f"all {len(problems)} problems are in `{log}`",
        )
