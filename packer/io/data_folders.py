"""Folders without Python code that packer reads: `native/`, `templates/`, the demo model's."""

from __future__ import annotations

from pathlib import Path

_PACKER = Path(__file__).resolve().parents[1]


def data_folder(path: str) -> Path:
    """Where the folder is, which may not exist: in a wheel they all are in `packer/data/`.

    Args:
        path: from the top of a checkout.
    """
    beside = _PACKER.parent / path
    # An installed packer has other packages next to it, and one of them may have that name.
    return beside if (_PACKER.parent / "pyproject.toml").is_file() else _PACKER / "data" / path
