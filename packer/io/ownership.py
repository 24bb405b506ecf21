"""Refuses to change files in place that are somebody else's too, and to follow links to them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from runtime.errors import InputError


def check_exclusive(path: Path, tip: str, *, names: int = 1) -> None:
    """Refuse a file that is a symlink, has other hard links, or belongs to another user.

    Raises InputError if it is one of these, or not a file.

    Args:
        tip: what to do instead.
        names: hard links that it may have.
    """
    facts = path.lstat()
    if stat.S_ISLNK(facts.st_mode):
        what = "is a symbolic link, and its file may belong to another user"
    elif not stat.S_ISREG(facts.st_mode):
        what = "is not a regular file"
    elif facts.st_nlink > names:
        what = "has a second name (hard link), under which it would change too"
    elif not os.access(path, os.W_OK) or getattr(os, "geteuid", int)() not in (0, facts.st_uid):
        what = "belongs to another user"
    else:
        return
    raise InputError(f"{path} {what}", tip)


def no_follow(path: str | Path, flags: int) -> int:
    """An opener, as `open` takes it, that fails where `path` itself is a symlink."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)
