"""Programs that tests compile: once for all workers and runs, until their sources change."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import pytest


def folder_of(config: pytest.Config, name: str, sources: Iterable[Path]) -> Path:
    """A folder in pytest's cache for what zig makes of these sources."""
    digest = hashlib.sha256(version("ziglang").encode())
    for path in sorted(sources):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    cache = getattr(config, "cache", None)  # not with `-p no:cacheprovider`
    place = cache.mkdir(f"compiled-{name}") if cache else Path(tempfile.mkdtemp())
    return Path(place) / digest.hexdigest()[:16]


def made(path: Path, build: Callable[[Path], object]) -> Path:
    """This file or folder; if it is missing, `build` makes it under the name that it gets."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
            new = Path(scratch) / path.name
            build(new)
            with suppress(OSError):  # another worker was faster
                new.rename(path)
    return path
