"""Folders that packer reads and that are no Python: `native/`, `templates/`, the demo model's."""

from __future__ import annotations

from pathlib import Path

_PACKER = Path(__file__).resolve().parent


def data_folder(path: str) -> Path:
    """Where the folder is, which may not exist: in a wheel they all lie in `packer/data/`.

    Args:
        path: from the top of a checkout.
    """
    beside = _PACKER.parent / path
    # Beside an installed packer lie other packages, and one of them may have that name.
    return beside if (_PACKER.parent / "pyproject.toml").is_file() else _PACKER / "data" / path
