"""The folders that may hold engines, why one may not, and how one is made.

Rules: docs/bundle-format.md; `packer/head/start.sh` and `native/stub/*/cache_dir.c` have the same.
"""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import InputError, shell_word
from runtime.machine.machine import Machine, mount_of

FOLDERS = ("engines", "stubs")
"""Folders in a cache from which programs are run."""

FAILS_SECONDS = 24 * 3600
"""How long an engine that did not start is not tried again."""

_OTHERS_WRITE = "other users may write into it"


@dataclass(frozen=True)
class Place:
    """A directory that could be the cache."""

    path: Path
    shared: bool = False
    """Others may write into the folder that contains it, such as /tmp."""
    home: bool = False
    """It is below HOME or XDG_CACHE_HOME, which must be this user's: root may have another's."""

    def folder(self, name: str) -> Place:
        """A folder in it."""
        return Place(self.path / name, self.shared)


class Unusable(Exception):
    """A place cannot be used."""


@dataclass(frozen=True)
class Trouble:
    """Why a place is skipped, and how to fix that."""

    why: str
    mend: str = ""


def places(machine: Machine) -> list[Place]:
    """The candidates, first choice first; only one where LLAMAPACK_CACHE is set."""
    env = machine.env
    if env.get("LLAMAPACK_CACHE"):
        return [Place(Path(env["LLAMAPACK_CACHE"]))]
    if machine.system == "windows":
        folders = ((env.get("LOCALAPPDATA"), False), (env.get("TEMP"), True))
        return [Place(Path(folder, "llamapack"), shared) for folder, shared in folders if folder]
    own, home = [], env.get("HOME")
    if env.get("XDG_CACHE_HOME"):
        own.append(Path(env["XDG_CACHE_HOME"], "llamapack"))
    if home:
        below = "Library/Caches" if machine.system == "macos" else ".cache"
        own.append(Path(home, below, "llamapack"))
    shared = [Path(env["TMPDIR"])] if env.get("TMPDIR") else []
    shared += [machine.path(folder) for folder in ("/tmp", "/var/tmp", "/dev/shm")]
    found = [Place(path, home=True) for path in own if path.is_absolute()]
    found += [Place(folder / f"llamapack-{machine.user}", shared=True) for folder in shared]
    return list({place.path: place for place in reversed(found)}.values())[::-1]


def trouble(place: Place, machine: Machine, needed: int) -> Trouble | None:
    """Why programs cannot be kept there, with `needed` bytes free; None if they can.

    Runs an empty script there and removes it, since nothing else is certain.
    """
    try:
        found = owner_trouble(place, machine)
    except OSError as error:
        return Trouble(error.strerror or str(error))
    if found:
        return found
    folder = _existing(place, machine)
    if isinstance(folder, Trouble):
        return folder
    forbidden = _try(folder, machine)
    if forbidden:
        return forbidden
    free = shutil.disk_usage(folder).free
    if free >= needed:
        return None
    return Trouble(
        f"{free / 1e6:.0f} MB are free, and an engine needs {needed / 1e6:.0f} MB",
        "free some space there, or set `LLAMAPACK_CACHE` to a directory on another disk",
    )


def _existing(place: Place, machine: Machine) -> Path | Trouble:
    """The place itself, or the directory in which it would be made."""
    folder, home = place.path, machine.env.get("HOME")
    if home and folder.is_relative_to(home) and not Path(home).is_dir():
        return Trouble(f"there is no home directory {home}")
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if place.shared and folder not in (place.path, place.path.parent):
        return Trouble(f"there is no {place.path.parent}")
    return folder


def owner_trouble(place: Place, machine: Machine) -> Trouble | None:
    """Why the contents of a place could be another user's; None if only this user can write it."""
    return own_trouble(place, machine) or (_home_trouble(place, machine) if place.home else None)


def _home_trouble(place: Place, machine: Machine) -> Trouble | None:
    above = next(parent for parent in place.path.parents if parent.exists())
    owner = above.stat().st_uid
    if machine.system == "windows" or owner == machine.user:
        return None
    return Trouble(
        f"{above} belongs to user {owner}, not to you ({machine.user})",
        "set HOME to a home of yours, or LLAMAPACK_CACHE to a directory of yours",
    )


def own_trouble(place: Place, machine: Machine) -> Trouble | None:  # noqa: PLR0911
    """As `owner_trouble`, but without the folders above it."""
    path, user, name = place.path, machine.user, shell_word(place.path)
    if machine.system == "windows":
        return None  # directories have lists of rights instead, which are inherited
    try:
        info = path.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(info.st_mode):
        if place.shared or info.st_uid != user:
            return Trouble("it is a symbolic link", f"`rm {name}`")
        info = path.stat()
    if not stat.S_ISDIR(info.st_mode):
        return Trouble("it is not a directory", f"`rm {name}`")
    if info.st_uid != user:
        return Trouble(
            f"it belongs to user {info.st_uid}, not to you ({user})",
            f"`sudo chown -R {user} {name}`",
        )
    if info.st_mode & 0o022:
        return Trouble(_OTHERS_WRITE, f"`chmod go-w {name}`")
    return None


def is_safe(info: os.stat_result, kind: int, machine: Machine, *, runs: bool = False) -> bool:
    """Whether it is of that kind (`stat.S_IFREG`, …) with the rights that installing gave it."""
    if stat.S_IFMT(info.st_mode) != kind:
        return False
    needed = stat.S_IRUSR | (stat.S_IXUSR if runs else 0)
    return machine.system == "windows" or (
        info.st_uid == machine.user and info.st_mode & (needed | 0o022) == needed
    )


def usable_places(machine: Machine) -> Iterator[Place]:
    """Places that no other user writes to, whether they exist or not."""
    for place in places(machine):
        try:
            if not owner_trouble(place, machine) and not own_trouble(
                place.folder("engines"), machine
            ):
                yield place
        except OSError:
            continue


def close_to_others(place: Place, machine: Machine) -> None:
    """Remove the right of others to write into this user's folder, as stubs do."""
    for one in (place, *map(place.folder, FOLDERS)):
        with suppress(OSError):
            trouble, mode = owner_trouble(one, machine), one.path.stat().st_mode
            if trouble and trouble.why == _OTHERS_WRITE and not mode & stat.S_ISVTX:
                one.path.chmod(stat.S_IMODE(mode) & ~0o022)


def make_folder(place: Place, name: str, machine: Machine) -> Path:
    """A folder in a place, made with rights for this user only.

    Raises:
        Unusable: it cannot be made, or other users may write into the place.
    """
    home = machine.env.get("HOME")
    # A home that does not exist (such as /nonexistent) is not created, not even by root.
    if home and place.path.is_relative_to(home) and not Path(home).is_dir():
        raise Unusable(f"there is no home directory {home}")
    missing = [place.path]
    while not missing[-1].parent.exists() and not place.shared:
        missing.append(missing[-1].parent)
    close_to_others(place, machine)
    try:
        if trouble := owner_trouble(place, machine):
            raise Unusable(trouble.why)
        for one in reversed(missing):
            one.mkdir(mode=0o700, exist_ok=True)
        if trouble := owner_trouble(place, machine):
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
    """A folder in the first usable place; `InputError` if there is none."""
    reasons = []
    for place in places(machine):
        try:
            return make_folder(place, name, machine)
        except Unusable as reason:
            reasons.append(f"{place.path}: {reason}")
    raise InputError(
        f"no directory is usable for {name}: {'; '.join(reasons)}",
        "Name one with `LLAMAPACK_CACHE`; `llamapack doctor` helps.",
    )


def _try(folder: Path, machine: Machine) -> Trouble | None:
    """Put a program into an existing directory and run it."""
    try:
        with tempfile.TemporaryDirectory(prefix=".llamapack-doctor-", dir=folder) as temporary:
            program = Path(temporary, "probe")
            program.write_text("#!/bin/sh\n")
            program.chmod(0o700)
            return None if machine.system == "windows" else _run(program, folder, machine)
    except OSError as error:
        what = error.strerror or str(error)
        return Trouble(f"nothing can be written to {folder} ({what})", _writable(folder, machine))


def _run(program: Path, folder: Path, machine: Machine) -> Trouble | None:
    try:
        subprocess.run([program], check=True, stdin=subprocess.DEVNULL, capture_output=True)
    except (OSError, subprocess.SubprocessError) as error:
        # Python has a name for this flag only on Linux.
        noexec = getattr(os, "ST_NOEXEC", 0)
        if os.statvfs(folder).f_flag & noexec:
            return Trouble("programs may not run in it (mounted noexec)", _remount(folder, machine))
        return Trouble(f"programs do not run in it ({getattr(error, 'strerror', '') or error})")
    return None


def _remount(folder: Path, machine: Machine) -> str:
    mount = mount_of(machine, folder)
    return f"`sudo mount -o remount,exec {shlex.quote(mount.point)}`" if mount else ""


def _writable(folder: Path, machine: Machine) -> str:
    if machine.system == "windows":
        return ""
    mount = mount_of(machine, folder)
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return f"`sudo mount -o remount,rw {shlex.quote(mount.point)}`" if mount else ""
    info = folder.stat()
    mine = info.st_uid == machine.user and not info.st_mode & stat.S_IWUSR
    return f"`chmod u+w {shell_word(folder)}`" if mine else ""
