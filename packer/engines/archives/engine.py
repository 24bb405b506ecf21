"""Engines in the form that bundles hold them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packer.engines import sums
from packer.engines.archives.deflated import Packed, add_files, deflated
from packer.zip.writer import ZipWriter
from runtime.formats.bundle import ENGINES, Engine
from runtime.machine.targets import EXECUTABLES


@dataclass(frozen=True)
class PackedEngine:
    """The engine for one target, ready to be copied into a bundle."""

    engine: Engine
    release: str
    """llama.cpp's."""
    packed: Packed


@contextmanager
def packed_engine(target: str, folder: Path) -> Iterator[PackedEngine]:
    """The engine whose files, `SHA256SUMS` and `engine.json` are in `folder`.

    Raises:
        InputError: a file is missing or not what `SHA256SUMS` says.
    """
    listing = sums.read(folder)
    if not any(name in listing.sums for name in EXECUTABLES):
        raise sums.damaged(folder, f"{sums.NAME} does not list {EXECUTABLES[0]}")
    release = _release(folder)

    def write(archive: ZipWriter) -> None:
        modes = dict.fromkeys(EXECUTABLES, 0o755)
        add_files(archive, f"{ENGINES}{target}/", folder, listing, modes)

    with deflated(target, listing.id, write) as archive:
        (engine,) = archive.engines
        yield PackedEngine(engine, release, Packed(archive, listing.sums))


def _release(folder: Path) -> str:
    try:
        return str(json.loads((folder / "engine.json").read_bytes())["llama.cpp"])
    except FileNotFoundError:
        raise sums.damaged(folder, "engine.json is missing") from None
    except (ValueError, KeyError, TypeError):
        raise sums.damaged(folder, "engine.json does not name the llama.cpp release") from None
