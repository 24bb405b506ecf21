"""The native sources: their folder, and the files of it that make an engine."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

from packer.io.data_folders import data_folder
from runtime.errors import InputError

_OTHERS = ("cosmo", "gpu", "stub", "targets.toml", "web_ui")
"""Sources that are built separately. Each target's row enters the key of its own engine."""
_SUFFIXES = (".c", ".cmake", ".cpp", ".h", ".manifest", ".rc", ".toml", ".txt")


def directory() -> Path:
    """The `native/` folder: beside `packer/` in a checkout, inside it in an installed wheel.

    Raises:
        InputError: this installation does not have it.
    """
    place = data_folder("native")
    if (place / "pins.toml").is_file():
        return place
    raise InputError(
        "this installation of llamapack has no `native/` folder to build engines from",
        "Run llamapack from a checkout of its repository: `pip install -e .`",
    )


def files(native: Path) -> Iterator[Path]:
    """The source files of an engine, sorted.

    A build sees only these (`snapshot`): a file of another kind cannot get into an engine, and a
    stray `a.out` makes no engine stale.
    """
    for path in sorted(native.rglob("*")):
        parts = path.relative_to(native).parts
        if parts[0] not in _OTHERS and path.suffix in _SUFFIXES and not path.name.startswith("."):
            yield path


def digests(native: Path) -> dict[str, str]:
    """SHA-256 (hexadecimal) of each of `files`, by path relative to `native`."""
    found = {}
    for path in files(native):
        facts = path.stat()
        version = (facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
        found[path.relative_to(native).as_posix()] = _digest(path, version)
    return found


@functools.cache
def _digest(path: Path, version: tuple[int, ...]) -> str:
    """SHA-256 of a file, computed once for each version: a command asks for it several times."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def snapshot(native: Path, destination: Path) -> None:
    """Make `destination` a copy of `files`: an edit during a build cannot end up in its result.

    Existing files with the same contents keep their time, so that only changes are compiled.
    """
    wanted = {path.relative_to(native) for path in files(native)}
    if destination.is_dir():
        for path in destination.rglob("*"):
            if path.is_file() and path.relative_to(destination) not in wanted:
                path.unlink()
    for name in wanted:
        copy, contents = destination / name, (native / name).read_bytes()
        if copy.is_file() and copy.read_bytes() == contents:
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(contents)
