"""Which directories may hold engines, and why one may not: as docs/bundle-format.md has it.

The same rules stand in `packer/head/start.sh` and `native/stub/*/cache_dir.c`.
"""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from runtime.machine.machine import Machine
from runtime.machine.mounts import mount_of

FOLDERS = ("engines", "stubs")
"""What starts make in a cache and run programs from."""

OTHERS_WRITE = "other users may write into it"


@dataclass(frozen=True)
class Place:
    """A directory that could be the cache."""

    path: Path
    shared: bool = False
    """Others may write beside it, as in /tmp."""
    home: bool = False
    """It is below HOME or XDG_CACHE_HOME, which must be this user's: root may have another's."""


@dataclass(frozen=True)
class Trouble:
    """Why a place is passed over."""

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
    """Why programs cannot be kept there; None if they can.

    Tries it with an empty script that it removes again: nothing else tells for sure.

    Args:
        needed: bytes that have to be free.
    """
    try:
        # Windows' directories have lists of rights instead, which are inherited.
        found = None if machine.system == "windows" else owner_trouble(place, machine.user)
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
    """The place itself, or the directory below which it would be made."""
    folder, home = place.path, machine.env.get("HOME")
    if home and folder.is_relative_to(home) and not Path(home).is_dir():
        return Trouble(f"there is no home directory {home}")
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if place.shared and folder not in (place.path, place.path.parent):
        return Trouble(f"there is no {place.path.parent}")
    return folder


def owner_trouble(place: Place, user: int) -> Trouble | None:
    """Why what lies in a place could be somebody else's work; None if it is this user's alone."""
    return own_trouble(place, user) or (_home_trouble(place, user) if place.home else None)


def _home_trouble(place: Place, user: int) -> Trouble | None:
    above = next(parent for parent in place.path.parents if parent.exists())
    owner = above.stat().st_uid
    if owner == user:
        return None
    return Trouble(
        f"{above} belongs to user {owner}, not to you ({user})",
        "set HOME to a home of yours, or LLAMAPACK_CACHE to a directory of yours",
    )


def own_trouble(place: Place, user: int) -> Trouble | None:
    """As `owner_trouble`, but of the place alone and not of what it lies in."""
    path, name = place.path, shlex.quote(str(place.path))
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
        return Trouble(OTHERS_WRITE, f"`chmod go-w {name}`")
    return None


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
        # Only Linux' Python tells the flags of a mount by name.
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
    return f"`chmod u+w {shlex.quote(str(folder))}`" if mine else ""
