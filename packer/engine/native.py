"""The native sources: where they are, and which of them make an engine."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from runtime.errors import InputError

_PACKER = Path(__file__).resolve().parent.parent


def directory() -> Path:
    """The `native/` folder: beside `packer/` in a checkout, inside it in an installed wheel.

    Raises:
        InputError: this installation came without it.
    """
    for place in (_PACKER.parent / "native", _PACKER / "native"):
        if (place / "pins.toml").is_file():
            return place
    raise InputError(
        "this installation of llamapack has no `native/` folder to build engines from",
        "run llamapack from a checkout of its repository: `pip install -e .`",
    )


def files(native: Path) -> Iterator[Path]:
    """The files that go into an engine, sorted; the stub and the documentation do not."""
    for path in sorted(native.rglob("*")):
        parts = path.relative_to(native).parts
        if parts[0] == "stub" or any(p.startswith(".") or p == "__pycache__" for p in parts):
            continue
        if path.is_file() and path.suffix != ".md" and not path.name.endswith("~"):
            yield path


def digests(native: Path) -> dict[str, str]:
    """SHA-256 (hexadecimal) of each of `files`, by path relative to `native`."""
    return {
        path.relative_to(native).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files(native)
    }


def snapshot(native: Path, destination: Path) -> None:
    """Copy `files` to a new folder, so that an edit during a build cannot end up in its result."""
    for path in files(native):
        copy = destination / path.relative_to(native)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
