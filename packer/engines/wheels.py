"""Engines that pip installed. They are read where they are, and nothing is copied or compiled.

A wheel holds `llamapack_engines/NAME/`, in which folders and files have the places that they have
in the build cache. Their names contain keys, so nothing of another llamapack is ever taken.
"""

from __future__ import annotations

import sys
from pathlib import Path

from packer.io import build_cache

FOLDER = "llamapack_engines"

PACKED = "packed.zip"
"""In place of an engine's, module's or web UI's files: their members as bundles hold them."""


def distribution(piece: str) -> str:
    """The name of a piece's wheel, in an index: `llamapack-engine-linux-x86-64`."""
    return f"llamapack-{piece}".replace("_", "-")


def roots() -> list[Path]:
    """The folder of each installed wheel."""
    # With `python -m` the current folder comes first; engines are not taken from there.
    entries = [Path(entry) for entry in sys.path if entry and Path(entry) != Path.cwd()]
    return [root for entry in entries for root in sorted((entry / FOLDER).glob("*/"))]


def installed(place: Path) -> Path:
    """The same as `place`, which is in the build cache, in a wheel; `place` if no wheel has it."""
    inside = place.relative_to(build_cache.root())
    return next((path for root in roots() if (path := root / inside).exists()), place)


def is_installed(folder: Path) -> bool:
    """Whether an engine's folder is a wheel's."""
    return (folder / PACKED).is_file()
