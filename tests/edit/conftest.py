"""A model that is worth leaving alone, and other engines to upgrade to."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from edit_files import NewEngine, grow, incompressible, packed
from helpers.stand_ins import CommandLine, write_engine, write_gguf


@pytest.fixture
def large(tmp_path: Path) -> Path:
    return grow(write_gguf(tmp_path / "large.gguf"), 3 << 20)


@pytest.fixture
def new_engine(llamapack: CommandLine) -> NewEngine:
    """Replaces the built engine by one of about this many bytes when packed."""

    def build(size: int) -> None:
        shutil.rmtree(llamapack.engine)
        files = {
            "libggml-base.so": incompressible(size, seed=size),
            "llamapack-engine": b"#!/bin/sh\necho newer\n" * 100,
        }
        write_engine(llamapack.engine, files)

    return build


@pytest.fixture
def path(tmp_path: Path, large: Path, llamapack: CommandLine, new_engine: NewEngine) -> Path:
    """A bundle alone in its folder."""
    new_engine(300_000)
    folder = tmp_path / "here"
    folder.mkdir()
    return packed(llamapack, folder / "b.llamafile", large, "--args", "-c 512")
