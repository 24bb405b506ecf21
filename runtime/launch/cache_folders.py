"""The folders of the cache that start stubs share; docs/bundle-format.md says which they are."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from runtime.errors import InputError
from runtime.machine.cache_places import (
    FOLDERS,
    OTHERS_WRITE,
    Place,
    Trouble,
    owner_trouble,
    places,
)
from runtime.machine.machine import Machine


class Unusable(Exception):
    """A place cannot be used."""


def usable_places(machine: Machine) -> Iterator[Place]:
    """Places that no other user writes to, whether they are there already or not."""
    for place in places(machine):
        try:
            trouble = _trouble(place, machine) or _trouble(_within(place, "engines"), machine)
        except OSError:
            continue
        if trouble is None:
            yield place


def _within(place: Place, name: str) -> Place:
    return replace(place, path=place.path / name, home=False)


def _trouble(place: Place, machine: Machine) -> Trouble | None:
    # Windows' directories have lists of rights instead, which are inherited.
    return None if machine.system == "windows" else owner_trouble(place, machine.user)


def close_to_others(place: Place, machine: Machine) -> None:
    """Remove the right of others to write into this user's folder, as stubs do."""
    for one in (place, *(_within(place, name) for name in FOLDERS)):
        with suppress(OSError):
            trouble, mode = _trouble(one, machine), one.path.stat().st_mode
            if trouble and trouble.why == OTHERS_WRITE and not mode & stat.S_ISVTX:
                one.path.chmod(stat.S_IMODE(mode) & ~0o022)


def made(place: Place, name: str, machine: Machine) -> Path:
    """A folder in a place, which is made with rights for this user only.

    Raises:
        Unusable: it cannot be, or other users may write into the place.
    """
    home = machine.env.get("HOME")
    # A home that is not there (such as /nonexistent) is not to be invented, not even by root.
    if home and place.path.is_relative_to(home) and not Path(home).is_dir():
        raise Unusable(f"there is no home directory {home}")
    missing = [place.path]
    while not missing[-1].parent.exists() and not place.shared:
        missing.append(missing[-1].parent)
    close_to_others(place, machine)
    try:
        if trouble := _trouble(place, machine):
            raise Unusable(trouble.why)
        for one in reversed(missing):
            one.mkdir(mode=0o700, exist_ok=True)
        if trouble := _trouble(place, machine):
            raise Unusable(trouble.why)
        folder = place.path / name
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except FileExistsError:  # LLAMAPACK_CACHE may name a folder with other things in it
            folder.rename(f"{folder}.{os.getpid()}")
            folder.mkdir(mode=0o700)
    except OSError as error:
        raise Unusable(error.strerror or str(error)) from None
    return folder


def cache_folder(machine: Machine, name: str) -> Path:
    """A folder in the first place that will do.

    Raises:
        InputError: none will.
    """
    reasons = []
    for place in places(machine):
        try:
            return made(place, name, machine)
        except Unusable as reason:
            reasons.append(f"{place.path}: {reason}")
    raise InputError(
        f"no directory is usable for {name}: {'; '.join(reasons)}",
        "Name one with `LLAMAPACK_CACHE`; `llamapack doctor` helps.",
    )


def removed(path: Path) -> None:
    """Remove a folder with its contents, or a file that has its name."""
    if path.is_dir() and not path.is_symlink():
        path.chmod(0o700)
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink()


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a loss of power, if the system can."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError:
            pass  # such as that of /dev/shm on some systems
        finally:
            os.close(descriptor)
