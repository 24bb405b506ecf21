"""Renames that replace nothing."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path

_LINUX = sys.platform == "linux"
_NOREPLACE = 1  # linux/fs.h: RENAME_NOREPLACE
_AT_FDCWD = -100  # linux/fcntl.h: relative to the current directory


def rename_new(old: Path, new: Path) -> None:
    """Give a file a name that no other has, in one step.

    Where renameat2(2) is missing, the file has both names for a moment; without hard links it is
    looked whether there is such a file directly before.

    Raises:
        FileExistsError: there is one.
        OSError: it cannot be renamed.
    """
    number = errno.ENOSYS
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if _LINUX else None
    if function:
        names = os.fsencode(old), os.fsencode(new)
        if function(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _NOREPLACE) == 0:
            return
        number = ctypes.get_errno()
    if number not in (errno.ENOSYS, errno.EINVAL):  # EINVAL: this file system cannot
        raise OSError(number, os.strerror(number), str(new))
    try:
        new.hardlink_to(old)
    except FileExistsError:
        raise
    except OSError:
        if os.path.lexists(new):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(new)) from None
        old.rename(new)
    else:
        old.unlink()
