"""Tells whether a change of a bundle was interrupted, so that it must not be used as it is.

Such a change leaves a file `.NAME.llamapack-undo` beside the bundle, with what is needed to take it
back; packer/edit/undo.py writes and uses it. `pack --consume` changes a GGUF in the same way.
"""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote

from runtime.errors import InputError
from runtime.formats.undo_file import UndoFile, open_undo


def undo_path(path: Path) -> Path:
    """Where the undo file of the bundle at `path` is while that is being changed in place."""
    real = path.resolve()
    return real.with_name(f".{real.name}.llamapack-undo")


def refuse_unfinished(path: Path) -> None:
    """Raises `InputError` if the bundle at `path` is in the middle of a change, or may be."""
    place = undo_path(path)
    if not os.path.lexists(place):
        return
    real = path.resolve()
    try:
        with open_undo(place, "rb") as undo, real.open("rb") as file:
            claim = UndoFile.read(undo)
            if not claim.fits(file):
                raise other_file(path)
            proved = claim.is_proved(file)
    except FileNotFoundError:
        return  # the change ended just now
    except InputError:
        raise
    except ValueError:
        raise damaged_undo(path) from None
    if proved:
        raise InputError(
            f"a change of {path} was interrupted, or is still going on",
            f"Run `llamapack edit {quote(str(real))}`: it restores the old file after an "
            "interruption.",
        )
    raise unproved(path, "otherwise see docs/files.md")


def unproved(path: Path, otherwise: str) -> InputError:
    """The error for an undo file that another file's change may have left, or a stranger."""
    place = undo_path(path)
    return InputError(
        f"{place} says that a change of {path} was interrupted, but it was not made for this file",
        f"If you did not change it, remove {place}; {otherwise}.",
    )


def other_file(path: Path) -> InputError:
    """The error for an undo file that does not fit."""
    place = undo_path(path)
    return InputError(
        f"{place} belongs to another file than the present {path}",
        f"If {path} is complete, remove {place} and check with `llamapack verify`.",
    )


def damaged_undo(path: Path) -> InputError:
    """The error for an undo file that cannot be read."""
    place = undo_path(path)
    return InputError(
        f"{place} is damaged, so llamapack cannot tell whether a change of {path} was interrupted",
        f"If you did not change it, remove {place}; otherwise get the bundle again.",
    )
