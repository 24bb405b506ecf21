"""Folders without Python code that packer reads: `native/`, `templates/`, the demo model's."""

from __future__ import annotations

from pathlib import Path

_PACKER = Path(__file__).resolve().parents[1]


def data_folder(path: str) -> Path:
    """The folder at `path`, from the top of a checkout; in a wheel it is in `packer/data/`. It may
    not exist."""
    beside = _PACKER.parent / path
    # An installed packer has other packages next to it, and one of them may have that name.
    return beside if (_PACKER.parent / "pyproject.toml").is_file() else _PACKER / "data" / path
