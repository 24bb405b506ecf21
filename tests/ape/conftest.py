"""A file with a head of ours and a small archive."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from apes import write_archive

from packer.engines import front, toolchain


@pytest.fixture(scope="session")
def head() -> bytes:
    """For Linux and Windows, as `pack` makes it."""
    return front.polyglot(["linux-aarch64", "linux-x86_64", "windows-x86_64"]).data


@pytest.fixture
def ape(tmp_path: Path, head: bytes) -> Path:
    path = tmp_path / "sound.llamafile"
    path.write_bytes(head)
    path.chmod(0o755)
    return write_archive(path)


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain ELF program."""
    program = tmp_path_factory.mktemp("reader") / "reader"
    words = ["-target", "x86_64-linux-musl", "-O1", "-s", "-static", "-no-pie"]
    place = ["-Wl,-z,max-page-size=65536"]
    source = Path(__file__).parent / "zip_reader.c"
    subprocess.run([toolchain._zig(), "cc", *words, *place, source, "-o", program], check=True)
    return program
