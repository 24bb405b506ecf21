"""A disk on which bytes can be inserted into files."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from packer.io.file_system import insert_range


@pytest.fixture(autouse=True)
def inserting(tmp_path: Path) -> None:
    path = tmp_path / "probe"
    path.write_bytes(bytes(65536))
    try:
        with io.FileIO(path, "r+b") as file:
            insert_range(file.fileno(), 0, 65536)
    except OSError as problem:
        pytest.skip(f"SKIPPED LOUDLY: {tmp_path} is not on ext4 or xfs: {problem}")
    path.unlink()
