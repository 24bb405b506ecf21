"""Whenever `assimilate` is killed, the file is the APE file or the native program afterwards."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from apes import write_ape
from helpers.killing import SLOW, Change
from helpers.stand_ins import CommandLine

POINTS = 200 if SLOW else 7


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("whose", ["ours", "theirs"])
def test_killed_at_any_call(
    whose: str, ape: Path, reader: Path, tmp_path: Path, llamapack: CommandLine
) -> None:
    (tmp_path / "here").mkdir()
    path = tmp_path / "here" / "b.llamafile"
    shutil.copy(ape if whose == "ours" else write_ape(tmp_path / "their.com", reader), path)
    words: list[str | Path] = ["assimilate", path, "--target", "linux-x86_64", "-q"]
    Change(path, words, path.read_bytes()).killed(llamapack, POINTS)
