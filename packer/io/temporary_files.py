"""Files that are written under a temporary name; files of a killed command are found and removed.

Each output has a lock, `.llamapack-KEY.partial`, which its command holds (flock) from before the
first temporary file, `.NAME.llamapack-KEY-NUMBER.partial`, until after the last is gone. If the
lock of a key is free, or gone, its files belong to no command any more: the next command that
writes into that folder removes them.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runtime.errors import InputError, full_disk_named, shell_word

_OURS = re.compile(
    r"(?:\..+)?\.llamapack-(?P<key>[0-9a-f]{12})(?P<number>-\d+)?\.partial", re.DOTALL
)
_LONGEST = 200  # bytes of a name that the temporary one can take


def remove_leftover(path: Path) -> None:
    """Remove a file that an earlier command may have left under a fixed name. Raises InputError if
    it is a folder, which no command leaves."""
    refuse_folder(path)
    path.unlink(missing_ok=True)


def refuse_folder(path: Path) -> None:
    """Raises InputError if a folder has a name that llamapack uses for its own file."""
    if path.is_dir() and not path.is_symlink():
        raise InputError(f"{path} is a folder", f"Remove it: `rm -r {shell_word(path)}`.")


@contextmanager
def temporary_files(path: Path) -> Iterator[Callable[[], Path]]:
    """Gives new names in the folder of `path`; removes files that still have one at the end."""
    _remove_abandoned(path.parent)
    stem = f".{path.name}" if len(os.fsencode(path.name)) < _LONGEST else ""
    made: list[Path] = []
    with full_disk_named(path), _locked(path.parent) as key:

        def new() -> Path:
            made.append(path.parent / f"{stem}.llamapack-{key}-{len(made)}.partial")
            return made[-1]

        try:
            yield new
        finally:
            for one in made:
                one.unlink(missing_ok=True)


@contextmanager
def _locked(folder: Path) -> Iterator[str]:
    while True:
        key = secrets.token_hex(6)
        place = _lock(folder, key)
        descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        # Another command may have taken it for abandoned in between.
        if _is_free(descriptor) is not False and place.exists():
            break
        os.close(descriptor)
    try:
        yield key
    finally:
        if sys.platform == "win32":
            os.close(descriptor)
            place.unlink(missing_ok=True)
        else:
            place.unlink(missing_ok=True)
            os.close(descriptor)


def _lock(folder: Path, key: str) -> Path:
    return folder / f".llamapack-{key}.partial"


def _is_free(descriptor: int) -> bool | None:
    """Take the lock: True, or False if another command has it; None where there are no locks."""
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _remove_abandoned(folder: Path) -> None:
    if sys.platform == "win32":
        return
    files: defaultdict[str, list[Path]] = defaultdict(list)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _OURS.fullmatch(entry.name)
            if found and entry.is_file(follow_symlinks=False):
                files[found["key"]].append(Path(entry.path))
    for key, paths in files.items():
        with suppress(OSError):
            _remove(_lock(folder, key), paths)


def _remove(lock: Path, paths: list[Path]) -> None:
    """Remove these files, the lock last, unless a command holds it."""
    descriptor = None
    with suppress(FileNotFoundError):
        if stat.S_ISREG(lock.lstat().st_mode):  # else no command made it, so none holds it
            descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if descriptor is not None and not _is_free(descriptor):
            return
        for path in sorted(paths, key=lambda one: one == lock):
            facts = path.lstat()
            if stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid():
                path.unlink()
    finally:
        if descriptor is not None:
            os.close(descriptor)
