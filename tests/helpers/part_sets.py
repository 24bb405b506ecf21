"""A bundle of a megabyte and its parts, for tests of `split` and `join`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from helpers.stand_ins import CommandLine, write_gguf


def large_gguf(folder: Path, count: int = 1_000_000, name: str = "big.gguf") -> Path:
    """A model with `count` more bytes, of noise."""
    model = write_gguf(folder / name)
    with model.open("ab") as file:
        file.write(os.urandom(count))
    return model


def large_bundle(folder: Path, llamapack: CommandLine, count: int = 1_000_000) -> Path:
    """A bundle of such a model."""
    path = folder / "whole" / "m.llamafile"
    path.parent.mkdir()
    llamapack.ran("pack", large_gguf(folder, count), "-o", path, "-q")
    return path


def split(llamapack: CommandLine, whole: Path, folder: Path, size: str = "400kB") -> list[Path]:
    """Its parts in `folder`."""
    folder.mkdir(exist_ok=True)
    done = llamapack.ran("split", whole, "--size", size, "-o", folder, "-q")
    *parts, sums = map(Path, done.stdout.splitlines())
    assert sums == folder / f"{whole.name}.sha256"
    return parts


def sha256sum(folder: Path, listing: str = "m.llamafile.sha256") -> list[str]:
    """What `sha256sum -c` says yes to; it fails for anything else."""
    done = subprocess.run(
        ["sha256sum", "-c", "--strict", listing],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.removesuffix(": OK") for line in done.stdout.splitlines()]


def names(folder: Path) -> list[str]:
    """Everything that is in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())
