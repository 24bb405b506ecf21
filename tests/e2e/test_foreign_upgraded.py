"""A llamafile of another tool answers with our runtime after `llamapack upgrade`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from helpers.foreign import write_foreign
from helpers.repository import DEMO
from helpers.running import answer, serving


@pytest.mark.parametrize("alignment", [65536, 32])
def test_a_foreign_llamafile_answers(
    alignment: int, engines: dict[str, Path], demo_bundle: Path, tmp_path: Path
) -> None:
    members = {"demo.gguf": DEMO.read_bytes(), ".args": b"-m\ndemo.gguf\n--temp\n0\n...\n"}
    path = write_foreign(tmp_path / "their.llamafile", members, alignment=alignment)
    llamapack("upgrade", path, "--targets", "linux-x86_64")
    assert answer(path) == answer(demo_bundle)
    llamapack("upgrade", path, "--targets", "linux-x86_64-static")
    assert answer(path) == answer(demo_bundle)


def test_a_running_bundle_is_not_changed_in_place(demo_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "busy.llamafile"
    path.write_bytes(demo_bundle.read_bytes())
    words = ["edit", path, "--args", "-c 256"]
    with serving(path):
        done = subprocess.run(_command(*words), capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "is in use by llamapack-engin" in done.stderr
    llamapack(*words)
    assert answer(path) == answer(demo_bundle)


def llamapack(*words: str | Path) -> None:
    done = subprocess.run(_command(*words), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "packer", *map(str, words)]
