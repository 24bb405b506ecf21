"""Small models and bundles, and the command line as a process."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from helpers.stand_ins import CommandLine, Refused, write_gguf
from hypothesis import settings

settings.register_profile("nightly", max_examples=1000, derandomize=False, deadline=None)


@pytest.fixture
def llamapack(tmp_path: Path) -> CommandLine:
    folder = tmp_path / "llamapack-under-test"
    folder.mkdir()
    return CommandLine(folder)


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    """A small model in one file."""
    return write_gguf(tmp_path / "tiny.gguf")


@pytest.fixture
def bundle(tmp_path: Path, gguf: Path, llamapack: CommandLine) -> Path:
    """A bundle of that model."""
    path = tmp_path / "tiny.llamafile"
    done = llamapack("pack", gguf, "-o", path, "-q")
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture
def refused() -> Refused:
    """Checks that a command ended as every refusal does, and gives its ERROR line."""

    def check(done: subprocess.CompletedProcess[str]) -> str:
        lines = done.stderr.splitlines()
        assert done.returncode == 1, done
        assert [line.split()[0] for line in lines] == ["ERROR", "TIP"], done.stderr
        assert not done.stdout
        return lines[0]

    return check
