"""A bundle that `llamapack assimilate` made a native program of answers without a shell."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from helpers.running import CLI, answer, run

from runtime.formats.bundle import Bundle


def llamapack(*words: str | Path) -> str:
    command = [sys.executable, "-m", "packer", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("in_place", [False, True])
def test_it_answers(in_place: bool, demo_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "native"
    if in_place:
        shutil.copy(demo_bundle, path)
        llamapack("assimilate", path, "--target", "linux-x86_64")
    else:
        llamapack("assimilate", demo_bundle, "--target", "linux-x86_64", "-o", path)
    done = run([path, *CLI])
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == answer(demo_bundle)
    llamapack("verify", path)
    llamapack("verify", demo_bundle)
    with Bundle.open(path) as bundle:
        assert (bundle.manifest or {})["front"]["program"] == "linux-x86_64"


def test_another_machine(demo_bundle: Path, tmp_path: Path) -> None:
    """Its structure alone is looked at here."""
    path = tmp_path / "native"
    llamapack("assimilate", demo_bundle, "--target", "linux-aarch64", "-o", path)
    with path.open("rb") as file:
        assert ELFFile(file)["e_machine"] == "EM_AARCH64"
    llamapack("verify", path)
    llamapack("upgrade", path, "--targets", "linux-aarch64-static")
    llamapack("verify", path)
