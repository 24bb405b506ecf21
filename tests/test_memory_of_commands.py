"""Memory does not grow with the weights: 300 MB take less than 100 MB.

Commands with a test of their own for it are not here.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from helpers.costs import PEAK, peak
from helpers.stand_ins import CommandLine


def append_300_mb(path: Path) -> None:
    with path.open("ab") as file:
        for _ in range(300):
            file.write(os.urandom(1 << 20))


def check_memory(llamapack: CommandLine, folder: Path, *words: str | Path) -> None:
    done = subprocess.run(
        llamapack.command(*words, first=PEAK),
        cwd=folder, env=llamapack.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert peak(done.stderr) < 100_000_000, words


def test_packing_and_editing(gguf: Path, tmp_path: Path, llamapack: CommandLine) -> None:
    append_300_mb(gguf)
    for words in (
        ["pack", gguf, "-o", "x.llamafile", "-q"],
        ["verify", "x.llamafile"],
        ["edit", "x.llamafile", "--args", "-c 9", "-q"],
        ["edit", "x.llamafile", "--args", "-c 8", "--copy", "-q"],
        ["pack", gguf, "-o", "x.llamafile", "-q", "--force", "--split-size", "90MB"],
    ):
        check_memory(llamapack, tmp_path, *words)


def test_parts(tmp_path: Path, llamapack: CommandLine) -> None:
    append_300_mb(tmp_path / "x")
    for words in (
        ["split", "x", "--size", "90MB"],
        ["join", "x.cat0", "-o", "y"],
        ["join", "x.cat0", "-o", "z", "--in-place"],
    ):
        check_memory(llamapack, tmp_path, *words)
    for name in ("y", "z"):
        subprocess.run(["cmp", "x", name], cwd=tmp_path, check=True)


def test_extracting_makes_holes_again(gguf: Path, tmp_path: Path, llamapack: CommandLine) -> None:
    os.truncate(gguf, 300 << 20)
    path, folder = tmp_path / "x.llamafile", tmp_path / "out"
    assert llamapack("pack", gguf, "-o", path).returncode == 0
    check_memory(llamapack, tmp_path, "extract", path, gguf.name, "-C", folder)
    check_memory(llamapack, tmp_path, "cat", path, gguf.name)
    facts = (folder / gguf.name).stat()
    assert facts.st_size == 300 << 20
    assert facts.st_blocks * 512 < 20 << 20
