"""Tells whether a change of a bundle was interrupted, so that it must not be used as it is.

Such a change leaves a file `.NAME.llamapack-undo` beside the bundle, with what is needed to take it
back; packer/edit/undo.py writes and uses it. `pack --consume` changes a GGUF in the same way.
"""

from __future__ import annotations

from pathlib import Path

from runtime.errors import InputError


def undo_path(path: Path) -> Path:
    """Where the undo file of the bundle at `path` is while that is being changed in place."""
    real = path.resolve()
    return real.with_name(f".{real.name}.llamapack-undo")


def refuse_unfinished(path: Path) -> None:
    """Raises `InputError` if the bundle at `path` is in the middle of a change."""
    if undo_path(path).exists():
        raise InputError(
            f"a change of {path} was interrupted, or is still going on",
            f"Run `llamapack edit {path}`: it takes an interrupted change back.",
        )
