"""On a file system that shares blocks, packing shares the weights' blocks with their file."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from stand_ins import CommandLine, write_gguf


@pytest.fixture
def btrfs(tmp_path: Path) -> Iterator[Path]:
    image, place = tmp_path / "image", tmp_path / "btrfs"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(400 << 20)
    commands = [["mkfs.btrfs", "-q", image], ["mount", "-o", "loop", image, place]]
    for command in commands:
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as problem:
            why = getattr(problem, "stderr", "") or problem
            pytest.skip(f"SKIPPED LOUDLY: no btrfs here (btrfs-progs, root, loop devices): {why}")
    yield place
    subprocess.run(["umount", place], check=True)


def test_weights_are_shared(btrfs: Path, tmp_path: Path, llamapack: CommandLine) -> None:
    model = write_gguf(btrfs / "m.gguf")
    with model.open("ab") as file:
        file.write(os.urandom((100 << 20) + 1234))
    os.sync()
    before = shutil.disk_usage(btrfs).used
    shared, copied = btrfs / "shared.llamafile", tmp_path / "copied.llamafile"
    for output in (shared, copied):
        done = llamapack("pack", model, "-o", output)
        assert done.returncode == 0, done.stderr
    os.sync()
    assert shutil.disk_usage(btrfs).used - before < 5 << 20
    assert shared.read_bytes() == copied.read_bytes()
    assert llamapack("verify", shared).returncode == 0


def test_parts_are_shared(btrfs: Path, tmp_path: Path, llamapack: CommandLine) -> None:
    """If their size is a multiple of the file system's blocks, which 50 GB is not."""
    model = write_gguf(btrfs / "m.gguf")
    with model.open("ab") as file:
        file.write(os.urandom((100 << 20) + 1234))
    os.sync()
    before = shutil.disk_usage(btrfs).used
    (btrfs / "parts").mkdir()
    parts, copies = btrfs / "parts" / "m.llamafile", btrfs / "copies"
    for words in (
        ("pack", model, "-o", parts, "--split-size", "32MiB"),
        ("join", f"{parts}.cat0"),
        ("split", parts, "--size", "48MiB", "-o", copies),
        ("join", f"{copies}.cat0", "--in-place"),
    ):
        done = llamapack(*words)
        assert done.returncode == 0, done.stderr
    os.sync()
    assert shutil.disk_usage(btrfs).used - before < 15 << 20
    done = llamapack("pack", model, "-o", tmp_path / "x")
    assert parts.read_bytes() == copies.read_bytes() == (tmp_path / "x").read_bytes()
