"""Opens a file to be changed: by nobody else, and as it was before an interrupted change.

A change in place would be felt by other users of the file: an engine has the weights mapped, and
would answer nonsense if they moved. Linux tells by a write lease (fcntl(2), F_SETLEASE): it is
given only while nobody else has the file open or mapped, whoever they are, and programs that open
it later wait until the change is done. Where leases are not available (files of others, network
file systems), the processes visible under /proc are asked. On other systems nothing is known, and
the change is made.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from packer.edit.undo import remove_leftovers, take_back
from packer.io.console import note
from packer.io.output import OutputFile, check_exclusive, sync_folder, terminable
from packer.io.temporary_files import remove_leftover
from runtime.errors import InputError, full_disk_named
from runtime.formats.bundle import Bundle
from runtime.formats.parts import refuse_part
from runtime.formats.undo_file import refuse_unfinished, undo_path
from runtime.formats.zip_directory import read_directory

COPY = "add `--copy`, which writes a new file and leaves the old one to its users"
"""What to do instead, for bundles."""

_PATIENCE = 1.0  # seconds; a reader such as `inspect` is done by then


def lock(file: io.FileIO, path: Path) -> None:
    """Keep other llamapack commands from changing the file until it is closed. Raises InputError if
    one is changing it."""
    if sys.platform == "win32":
        return  # it refuses to open a file twice for what we do with it
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(
            f"another llamapack is changing {path}", "Wait until it is done."
        ) from None
    except OSError as problem:
        if problem.errno not in (errno.ENOLCK, errno.EOPNOTSUPP):
            raise


def refuse_used(file: io.FileIO, path: Path, otherwise: str) -> None:
    """Make sure that no one uses the file until it is closed; `file` must be its only descriptor.
    Raises InputError, with `otherwise` as the way out."""
    if sys.platform != "linux":
        return
    deadline = time.monotonic() + _PATIENCE
    while (answer := _lease(file)) is False and time.monotonic() < deadline:
        time.sleep(0.05)
    users = [] if answer else sorted(_users(file))
    if answer is False or users:
        who = f" by {', '.join(users[:3])}" if users else ""
        raise InputError(f"{path} is in use{who}", f"Stop the program first, or {otherwise}.")


def allow_use(file: io.FileIO) -> None:
    """Let others open the file again without waiting, after `refuse_used`."""
    if sys.platform != "linux":
        return
    import fcntl

    with suppress(OSError):  # there may be none
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)


def _lease(file: io.FileIO) -> bool | None:
    """Take the lease: True, or False if others have the file open; None if that cannot be told."""
    import fcntl

    if threading.current_thread() is threading.main_thread():
        # It is sent when another process opens the file, and would end this one.
        signal.signal(signal.SIGIO, signal.SIG_IGN)
    try:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _users(file: io.FileIO) -> Iterator[str]:
    """Names and numbers of other processes that can be seen to have the file open or mapped."""
    facts = os.fstat(file.fileno())
    mapped = f" {os.major(facts.st_dev):02x}:{os.minor(facts.st_dev):02x} {facts.st_ino} "
    for folder in Path("/proc").glob("[0-9]*"):
        if folder.name == str(os.getpid()):
            continue
        try:
            uses = mapped in (folder / "maps").read_text(errors="replace") or any(
                os.path.samestat(entry.stat(), facts) for entry in (folder / "fd").iterdir()
            )
            if uses:
                yield f"{(folder / 'comm').read_text().strip()} (process {folder.name})"
        except OSError:
            continue


@contextmanager
def replacement(path: Path, old: io.FileIO) -> Iterator[OutputFile]:
    """Write a file that replaces the one at `path`, open as `old`, once the body is done. Until
    then it is `.NAME.llamapack-new` in the same folder; an exception, or the next change after a
    crash, removes it."""
    temporary = _temporary(path)
    with terminable():
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            with os.fdopen(os.open(temporary, flags, 0o600), "r+b", buffering=0) as file:
                assert isinstance(file, io.FileIO)
                yield OutputFile(file)
                _own_as(file.fileno(), path.stat())
                os.fsync(file.fileno())
            if sys.platform == "win32":
                old.close()  # or it cannot be replaced; elsewhere its lock is kept until then
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def remove_new_file(path: Path) -> None:
    """Remove a new file that a crash has left. Raises InputError if it is a folder."""
    remove_leftover(_temporary(path))


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.llamapack-new")


def _own_as(descriptor: int, facts: os.stat_result) -> None:
    if sys.platform == "win32":
        return
    with suppress(PermissionError):  # only root can give files away
        os.fchown(descriptor, facts.st_uid, facts.st_gid)
    os.fchmod(descriptor, facts.st_mode & 0o777)


@dataclass(frozen=True)
class Held:
    """A file that no one else changes now."""

    path: Path  # absolute; that of a link, where the user named one
    file: io.FileIO
    """Unbuffered, the only descriptor of it; for writing too if it is to be changed in place."""
    recovered: bool  # whether restored as it was before an interrupted change


@dataclass(frozen=True)
class Opened(Held):
    """A bundle that no one else changes now."""

    bundle: Bundle


@contextmanager
def held(path: Path, *, alone: bool, otherwise: str = COPY, keep: bool = False) -> Iterator[Held]:
    """Open the file at `path` for a change, and take an interrupted change back. Raises InputError
    if it does not exist, is in use or shared with others, or the change cannot be taken back.

    Args:
        alone: it is changed in place, so it must have no other user and no other name. If not, a
            link is replaced, and its file stays.
        otherwise: another way for the user, for the TIP.
        keep: as for `take_back`.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist", "Check the path.")
    if not path.is_file():
        raise InputError(f"{path} is not a regular file", "Name a file.")
    if alone:
        check_exclusive(path, f"{otherwise[0].upper()}{otherwise[1:]}.")
    elif path.is_symlink():
        refuse_unfinished(path)
    real = path.parent.resolve() / path.name
    undo = undo_path(real)
    unfinished = os.path.lexists(undo)
    if unfinished and not alone:
        # Taking back is a change in place.
        check_exclusive(
            path, f"Copy it to another folder, {undo} too, and run `llamapack edit --copy` there."
        )
    alone = alone or unfinished
    with (
        terminable(),
        full_disk_named(path),
        io.FileIO(real, "r+b" if alone else "rb") as file,
    ):
        lock(file, path)
        if not os.path.samestat(os.fstat(file.fileno()), real.stat()):
            raise InputError(
                f"another llamapack changed {path} at the same time", "Run the command again."
            )
        if alone:
            refuse_used(file, path, otherwise)
        remove_leftovers(real)
        remove_new_file(real)
        recovered = take_back(real, file, keep=keep)
        if recovered:
            note(f"{path}: restored as it was before an interrupted change")
        yield Held(real, file, recovered)


@contextmanager
def opened(path: Path, *, alone: bool, otherwise: str = COPY) -> Iterator[Opened]:
    """Open the bundle at `path` for a change, as `held` does. Raises InputError also if it is not a
    bundle, or one of several parts."""
    with held(path, alone=alone, otherwise=otherwise) as one:
        try:
            directory = read_directory(one.file, str(path))
        except InputError:
            refuse_part(path)
            raise
        bundle = Bundle(path, one.file, directory)
        yield Opened(one.path, one.file, one.recovered, bundle)
