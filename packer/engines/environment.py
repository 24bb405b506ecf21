"""The environment in which engines are compiled."""

from __future__ import annotations

import os

from packer.engines import ninja

_KEPT = ("PATH", "HOME", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "USERPROFILE", "COMSPEC")


def clean() -> dict[str, str]:
    """Nothing of the user's that could change the result (CFLAGS, CPATH, CMAKE_…, GGML_…)."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | {
        "LC_ALL": "C",
        "NINJA_STATUS": ninja.STATUS,
    }
