"""The GPU modules in the build cache: made once, checked, found again."""

from __future__ import annotations

import os
from pathlib import Path

from packer.engines import cache, layout, logged, sums
from packer.engines.gpu import pins
from packer.engines.gpu.pins import CUDA, METAL, VULKAN, Module
from packer.engines.layout import locked
from packer.engines.wheels import installed
from runtime.errors import InputError

LOCK = "gpu"
"""The lock, and the log, of whoever makes modules."""

_DRIVERS = {
    VULKAN: ("libvulkan.so.1", "vulkan-1.dll"),
    CUDA: None,  # compiled by the machine's own compiler, for systems like it
    METAL: None,
}
"""What the modules that zig compiles may want from the user's system, besides the C library."""


def folder_of(module: Module) -> Path:
    """The folder for the finished module."""
    return layout.gpu() / f"{module.target}-{module.kind}-{module.key[:16]}"


def find(module: Module) -> Path | None:
    """The folder with the module and its `SHA256SUMS`, in a wheel or the build cache; None if it
    is in neither."""
    place = installed(folder_of(module))
    return place if place.is_dir() else None


def found() -> list[tuple[Module, Path]]:
    """All modules that were made, with their folders."""
    return [(module, path) for module in pins.load() if (path := find(module))]


def add(module: Module, jobs: int | None = None) -> Path:
    """The module's folder; compiled or fetched if it is not there.

    Args:
        jobs: how many compilers run at once; as many as there are CPUs if None.

    Raises:
        InputError: it cannot be made, is not what the pins say, or does not fit the engine that is
            built for its target.
    """
    place = folder_of(module)
    with locked(layout.lock(LOCK)):
        if not place.is_dir():
            log = layout.log(LOCK)
            logged.start(log)
            with layout.unfinished(layout.gpu()) as folder:
                ready = folder / "module"
                ready.mkdir()
                _make(module, ready / module.name, log, jobs or os.cpu_count() or 1)
                (ready / module.name).chmod(0o644)
                listing = sums.listing([ready / module.name])
                (ready / sums.NAME).write_text(listing, encoding="utf-8", newline="")
                check(module, ready / module.name)
                ready.rename(place)
    return place


def _make(module: Module, file: Path, log: Path, jobs: int) -> None:
    # Each brings modules along that nothing else needs.
    if module.kind == VULKAN:
        from packer.engines.gpu import vulkan

        vulkan.build(module, file, log, jobs)
    elif module.kind == METAL:
        from packer.engines.gpu import metal

        metal.fetch(module, file, log)
    else:
        from packer.engines.gpu import cuda

        cuda.build(file, log, jobs)


def check(module: Module, path: Path) -> None:
    """See that the system and the engine have what the module imports, if there is an engine.

    Raises:
        InputError: one of them does not.
    """
    # lief, which reads the files, takes a while to import.
    from packer.checks import check_module
    from packer.checks.systems import system

    engine = cache.find(module.target)
    base = (engine / system(module.target).base).read_bytes() if engine else None
    problems = check_module(
        module.target, module.name, path.read_bytes(), base, drivers=_DRIVERS[module.kind]
    )
    if problems:
        raise InputError(
            f"{module.title} does not fit the engine: {problems[0]}",
            "Make it from the release that the engines are built from.",
        )
