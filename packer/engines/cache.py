"""The finished engines: which there are, and which of them is what a build now would make."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packer.engines import description, layout, native, pins
from packer.engines.targets import TARGETS
from runtime.formats.bundle import Engine

FACTS = "engine.json"


@dataclass(frozen=True)
class BuiltEngine:
    """A finished engine: its files, `SHA256SUMS` and `engine.json` are in `path`."""

    target: str
    path: Path
    id: str
    """SHA-256 of its `SHA256SUMS`."""
    key: str
    """SHA-256 of everything that it was built from."""
    llama_cpp: str
    """llama.cpp's release."""
    built_with: dict[str, str]
    """Versions of the tools."""
    files: int
    size: int
    """Bytes of these files."""
    current: bool
    """Built from the present `native/`; otherwise it is out of date."""


def folder(target: str, key: str) -> Path:
    """The folder for a finished engine of that key."""
    return layout.engines() / f"{target}-{key[:16]}"


def find(target: str) -> Path | None:
    """The folder of the current engine for `target`, or None if a build is due.

    Raises:
        InputError: there is no such target, or no `native/` folder.
    """
    return built().get(target)


def built() -> dict[str, Path]:
    """The folders of all current engines, by target."""
    return {engine.target: engine.path for engine in engines() if engine.current}


def finished(wanted: Iterable[Engine]) -> dict[str, Path]:
    """The folders of these engines, by target, if they are in the cache."""
    ids = {engine.id for engine in wanted}
    return {engine.target: engine.path for engine in engines() if engine.id in ids} if ids else {}


def engines() -> list[BuiltEngine]:
    """All finished engines, also those out of date and those of targets that no longer exist."""
    sources = native.directory()
    pinned = pins.load(sources)
    digests = native.digests(sources)
    keys = {name: description.key(row, pinned, digests) for name, row in TARGETS.items()}
    found = []
    for path in sorted(layout.engines().glob(f"[!.]*/{FACTS}")):
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            found.append(_engine(path.parent, facts, keys))
        except (ValueError, KeyError, TypeError):
            continue  # Not ours to judge; `clean --all` removes it.
    return found


def _engine(path: Path, facts: dict[str, Any], keys: dict[str, str]) -> BuiltEngine:
    return BuiltEngine(
        target=facts["target"],
        path=path,
        id=facts["id"],
        key=facts["key"],
        llama_cpp=facts["llama.cpp"],
        built_with=facts["built_with"],
        files=facts["files"],
        size=facts["size"],
        current=keys.get(facts["target"]) == facts["key"],
    )
