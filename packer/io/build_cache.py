"""The folder for everything that is built once and used often, outside the repository."""

from __future__ import annotations

import os
from pathlib import Path

from runtime.errors import InputError


def root() -> Path:
    """`$LLAMAPACK_BUILD_CACHE`, else `~/.cache/llamapack-build`, which may not exist yet. Raises
    InputError if there is no home directory either."""
    if chosen := os.environ.get("LLAMAPACK_BUILD_CACHE"):
        return Path(chosen).expanduser().absolute()
    try:
        home = Path.home()
    except RuntimeError:
        raise InputError(
            "there is no home directory to keep engines in",
            "Set `LLAMAPACK_BUILD_CACHE` to a directory.",
        ) from None
    return home / ".cache" / "llamapack-build"
