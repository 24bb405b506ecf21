"""Tells whether somebody else has a bundle open, since changing it in place would be felt there.

An engine has the weights mapped; moving them under it would make it answer nonsense. Linux tells by
a write lease (fcntl(2), F_SETLEASE): it is given only while nobody else has the file open or
mapped, whoever they are, and those who open it later wait until the change is done. Where leases
cannot be had (files of others, network file systems), the processes that can be seen under /proc
are asked. On other systems nothing is known, and the change is made.
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
from contextlib import suppress
from pathlib import Path

from runtime.errors import InputError

COPY = "add `--copy`, which writes a new file and leaves the old one to its users"
"""What to do instead, for bundles."""

_PATIENCE = 1.0  # seconds; a reader such as `inspect` is done by then


def lock(file: io.FileIO, path: Path) -> None:
    """Keep other llamapack commands from changing the file, until it is closed.

    Raises:
        InputError: one is changing it.
    """
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
    """Make sure that nobody uses the file, until it is closed; must be its only open descriptor.

    Args:
        otherwise: what to do instead.

    Raises:
        InputError: somebody does.
    """
    if sys.platform != "linux":
        return
    deadline = time.monotonic() + _PATIENCE
    while (answer := _lease(file)) is False and time.monotonic() < deadline:
        time.sleep(0.05)
    users = [] if answer else sorted(_users(file))
    if answer is False or users:
        who = f" by {', '.join(users[:3])}" if users else ""
        raise InputError(
            f"{path} is in use{who}",
            f"Stop the program first, or {otherwise}.",
        )


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
        # Comes when somebody opens the file, and would end this process.
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
