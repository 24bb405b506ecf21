"""On a file system that shares blocks, packing shares the weights' blocks with their file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.mounts import mounted, used
from helpers.stand_ins import CommandLine, write_gguf


@pytest.fixture
def btrfs(tmp_path: Path) -> Iterator[Path]:
    with mounted("btrfs", tmp_path) as place:
        yield place


def test_weights_are_shared(btrfs: Path, tmp_path: Path, llamapack: CommandLine) -> None:
    model = write_gguf(btrfs / "m.gguf")
    with model.open("ab") as file:
        file.write(os.urandom((100 << 20) + 1234))
    before = used(btrfs)
    shared, copied = btrfs / "shared.llamafile", tmp_path / "copied.llamafile"
    for output in (shared, copied):
        llamapack.ran("pack", model, "-o", output)
    assert used(btrfs) - before < 5 << 20
    assert shared.read_bytes() == copied.read_bytes()
    llamapack.ran("verify", shared)


def test_parts_are_shared(btrfs: Path, tmp_path: Path, llamapack: CommandLine) -> None:
    """If their size is a multiple of the file system's blocks, which 50 GB is not."""
    model = write_gguf(btrfs / "m.gguf")
    with model.open("ab") as file:
        file.write(os.urandom((100 << 20) + 1234))
    before = used(btrfs)
    (btrfs / "parts").mkdir()
    parts, copies = btrfs / "parts" / "m.llamafile", btrfs / "copies"
    for words in (
        ("pack", model, "-o", parts, "--split-size", "32MiB"),
        ("join", f"{parts}.cat0"),
        ("split", parts, "--size", "48MiB", "-o", copies),
        ("join", f"{copies}.cat0", "--in-place"),
    ):
        llamapack.ran(*words)
    assert used(btrfs) - before < 15 << 20
    llamapack.ran("pack", model, "-o", tmp_path / "x")
    assert parts.read_bytes() == copies.read_bytes() == (tmp_path / "x").read_bytes()
