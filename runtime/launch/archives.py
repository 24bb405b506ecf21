"""Archives of engines on this machine, for files that bring none: `CACHE/archives/*.zip`.

CACHE is as in docs/bundle-format.md. An archive has the layout of a bundle, without weights. The
newest with an engine for this machine is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import InputError
from runtime.formats.bundle import Bundle
from runtime.launch.engine_cache import host_engines
from runtime.launch.parts import Join
from runtime.machine.cache_places import usable_places
from runtime.machine.machine import Machine

FOLDER = "archives"
"""Name of their folder in the cache."""


@dataclass(frozen=True)
class Tools:
    """Functions of the packer for the launcher, which does not import it."""

    provide: Callable[[Machine], Path | None] = lambda _: None
    """Makes or fetches an archive of engines."""
    join: Join | None = None
    """Joins parts in place."""


def newest(machine: Machine) -> Path | None:
    """The newest archive with an engine for a machine; None if there is none."""
    found = [
        path for place in usable_places(machine) for path in (place.path / FOLDER).glob("[!.]*.zip")
    ]
    for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True):
        try:
            with Bundle.open(path) as archive:
                if host_engines(archive, machine):
                    return path
        except InputError:
            continue  # being written, or damaged: another one may do
    return None
