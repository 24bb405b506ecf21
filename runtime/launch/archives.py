"""Engines that are not in the file to run: archives of them that were put on this machine.

They are in `CACHE/archives/`, CACHE as in docs/bundle-format.md. Each is a ZIP in the layout of a
bundle, without weights: `engines/TARGET/…`, `gpu/TARGET/…`, `web-ui/…`. The newest that has an
engine for this machine is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import InputError
from runtime.formats.bundle import Bundle
from runtime.launch.cache_folders import usable_places
from runtime.launch.engine_cache import host_engines
from runtime.launch.parts import Join
from runtime.machine.machine import Machine

FOLDER = "archives"
"""Name of their folder in the cache."""


@dataclass(frozen=True)
class Tools:
    """What the launcher needs of the packer, which it knows nothing of: it is handed in."""

    provide: Callable[[Machine], Path | None] = lambda _: None
    """Makes or fetches an archive of engines."""
    join: Join | None = None
    """Joins parts in place."""


def newest(machine: Machine) -> Path | None:
    """The newest archive with an engine for a machine; None if there is none."""
    for path in sorted(_archives(machine), key=_changed, reverse=True):
        try:
            with Bundle.open(path) as archive:
                if host_engines(archive, machine):
                    return path
        except InputError:
            continue  # being written, or damaged: another one may do
    return None


def _archives(machine: Machine) -> Iterator[Path]:
    for place in usable_places(machine):
        yield from (place.path / FOLDER).glob("[!.]*.zip")


def _changed(path: Path) -> float:
    return path.stat().st_mtime
