"""The GPU modules in the build cache: fetched from npm, checked, found again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from packer.engines import cache, layout, logged, npm, sums
from packer.engines import pins as engine_pins
from packer.engines.gpu import pins
from packer.engines.gpu.pins import Module
from packer.engines.layout import locked
from packer.engines.native import directory
from packer.io.console import note
from runtime.errors import InputError

LOCK = "gpu"
"""The lock, and the log, of whoever fetches modules."""


def folder_of(module: Module) -> Path:
    """The folder for the downloaded module."""
    # What it is made of; the rest says where that is found, or is for people.
    key = hashlib.sha256(json.dumps([module.integrity, module.file]).encode()).hexdigest()
    return layout.gpu() / f"{module.target}-{module.kind}-{key[:16]}"


def find(module: Module) -> Path | None:
    """The folder with the module and its `SHA256SUMS`, or None if it was not fetched."""
    place = folder_of(module)
    return place if place.is_dir() else None


def found() -> list[tuple[Module, Path]]:
    """All modules that were fetched, with their folders."""
    return [(module, path) for module in pins.load() if (path := find(module))]


def add(module: Module) -> Path:
    """The module's folder; fetched if it is not there.

    Raises:
        InputError: it cannot be fetched, is not what the pins say, or does not fit the engine that
            is built for its target.
    """
    place = folder_of(module)
    with locked(layout.lock(LOCK)):
        if not place.is_dir():
            note(f"fetching {module.title} (npm package {module.package} {module.version})")
            log = layout.log(LOCK)
            logged.start(log)
            with layout.unfinished(layout.gpu()) as folder:
                node = engine_pins.load(directory()).node
                tarball = npm.download(module.package, module.version, node, folder, log)
                npm.check_integrity(tarball, module.integrity)
                ready = folder / "module"
                ready.mkdir()
                npm.extract(tarball, module.file, ready / module.name)
                listing = sums.listing([ready / module.name])
                (ready / sums.NAME).write_text(listing, encoding="utf-8", newline="")
                _check(module, ready / module.name)
                ready.rename(place)
    return place


def _check(module: Module, path: Path) -> None:
    """See that the engine has what the module imports, if there is an engine."""
    # lief, which reads the files, takes a while to import.
    from packer.checks import check_module
    from packer.checks.systems import system

    engine = cache.find(module.target)
    if engine is None:
        return
    base = (engine / system(module.target).base).read_bytes()
    problems = check_module(module.target, module.name, path.read_bytes(), base)
    if problems:
        raise InputError(
            f"{module.title} does not fit the engine: {problems[0]}",
            "Pin modules of the release that the engines are built from.",
        )
