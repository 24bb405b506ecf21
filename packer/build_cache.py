"""Where everything that is built once and used often lies: outside the repository."""

from __future__ import annotations

import os
from pathlib import Path

from runtime.errors import InputError

VARIABLE = "LLAMAPACK_BUILD_CACHE"


def root() -> Path:
    """The build cache: `$LLAMAPACK_BUILD_CACHE`, else `~/.cache/llamapack-build`.

    The folder may not exist yet.

    Raises:
        InputError: there is neither the variable nor a home directory.
    """
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen).expanduser().absolute()
    try:
        home = Path.home()
    except RuntimeError:
        raise InputError(
            "there is no home directory to keep engines in", f"set `{VARIABLE}` to a directory"
        ) from None
    return home / ".cache" / "llamapack-build"
