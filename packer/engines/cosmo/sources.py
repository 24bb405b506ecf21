"""What a runtime is compiled from: the user's folder, and our own files that go with it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from packer.engines import native
from packer.io import build_cache
from runtime.errors import InputError
from runtime.formats.sha256_file import file_sha256

_GIT = ".git"
_OURS = ("bundle", "cosmo")
"""Folders of `native/`."""
ABOUT_UPSTREAM = "upstream llama.cpp is known not to compile with cosmocc unless it is patched"


def checked(source: Path) -> Path:
    """The absolute path of a folder that can be compiled.

    Raises:
        InputError: it is none, or no CMake project.
    """
    place = source.resolve()
    if not place.is_dir():
        raise InputError(f"{source} is not a folder", "Name the folder of the runtime's sources.")
    if not (place / "CMakeLists.txt").is_file():
        raise InputError(
            f"{source} has no `CMakeLists.txt`: only CMake projects can be compiled",
            f"Name the top folder of the runtime's sources; {ABOUT_UPSTREAM}.",
        )
    if build_cache.root().resolve().is_relative_to(place):
        raise InputError(
            f"the build cache, {build_cache.root()}, is inside {source}",
            "Set `LLAMAPACK_BUILD_CACHE` to another folder.",
        )
    return place


def snapshot(source: Path, folder: Path) -> Path:
    """Copy all sources, so that an edit during the build cannot end up in its result.

    Returns:
        the copy of the user's; `native/` is beside it.
    """
    ours = native.directory()
    for path in _our_files(ours):
        copy = folder / "native" / path.relative_to(ours)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    ignored = shutil.ignore_patterns(_GIT)
    shutil.copytree(source, folder / "source", symlinks=True, ignore=ignored)
    return folder / "source"


def our_digest(ours: Path) -> str:
    """SHA-256 (hexadecimal) over those of our files that go into a runtime.

    Args:
        ours: the `native/` folder.
    """
    return _digest(ours, list(_our_files(ours)))


def digest(source: Path) -> str:
    """SHA-256 (hexadecimal) over names and contents of all files below a folder, less git's."""
    found = (path for path in source.rglob("*") if _GIT not in path.relative_to(source).parts)
    return _digest(source, sorted(path for path in found if path.is_symlink() or path.is_file()))


def _our_files(ours: Path) -> Iterator[Path]:
    for name in _OURS:
        yield from sorted(path for path in (ours / name).rglob("[!.]*.*") if path.is_file())


def _digest(folder: Path, files: list[Path]) -> str:
    whole = hashlib.sha256()
    for path in files:
        content = f"-> {path.readlink()}" if path.is_symlink() else file_sha256(path)
        whole.update(f"{path.relative_to(folder).as_posix()}\0{content}\0".encode())
    return whole.hexdigest()
