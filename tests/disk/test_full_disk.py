"""A disk that is full in some phase: nothing half written stays, and nothing is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from helpers.killing import SLOW, TAKE_SPACE, calls, sample, strace
from helpers.part_sets import large_bundle, split
from helpers.stand_ins import CommandLine

# `OUT` is a file of the folder that fills up.
COMMANDS = {
    "pack": ["pack", "big.gguf", "-o", "OUT"],
    "pack in parts": ["pack", "big.gguf", "-o", "OUT", "--split-size", "400kB"],
    "split": ["split", "whole/m.llamafile", "--size", "400kB", "-o", "OUT"],
    "join": ["join", "parts/m.llamafile.cat0", "-o", "OUT"],
    "extract": ["extract", "whole/m.llamafile", "-C", "OUT"],
    "card": ["card", "whole/m.llamafile", "-o", "OUT"],
}


def found(folder: Path) -> dict[str, bytes]:
    """Whatever is in a folder, hidden files too."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("what", COMMANDS)
def test_what_is_written(what: str, tmp_path: Path, llamapack: CommandLine) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    whole = large_bundle(tmp_path, llamapack)
    if what == "join":
        split(llamapack, whole, tmp_path / "parts")
    words = [
        folder / "m.llamafile" if word == "OUT" else tmp_path / word if "." in word else word
        for word in COMMANDS[what]
    ]
    made = calls(llamapack, folder / "m.llamafile", *words, threads=True)
    expected = found(folder)
    failed = 0
    for number, call in enumerate(
        sample([one for one in made if one.name in TAKE_SPACE], 100 if SLOW else 4)
    ):
        shutil.rmtree(folder)
        folder.mkdir()
        lasting = "+" if number % 2 else ""
        inject = f"inject={call.name}:error=ENOSPC:when={call.number}{lasting}"
        options = ["-e", f"trace={call.name}", "-e", inject, "-o", "/dev/null"]
        done = strace(llamapack, options, words)
        assert done.returncode in (0, 1), (call, done.stderr)
        if done.returncode:
            failed += 1
            left = found(folder)
            assert what == "extract" or not left, (call, left.keys())
            assert left.items() <= expected.items(), call
            if not lasting:  # else the ERROR line may not be written, either
                assert done.stderr.count("ERROR") == 1, done.stderr
                assert str(folder) in done.stderr, done.stderr
        else:
            assert found(folder) == expected
    assert failed


@pytest.mark.timeout(3000)
def test_joining_in_place(tmp_path: Path, llamapack: CommandLine) -> None:
    """The parts are there, or the next start goes on: every byte comes through."""
    whole = large_bundle(tmp_path, llamapack)
    parts, folder = split(llamapack, whole, tmp_path / "parts"), tmp_path / "here"
    words = ["join", "--in-place", folder / parts[0].name]
    shutil.copytree(tmp_path / "parts", folder)
    made = calls(llamapack, folder / "m.llamafile", *words)
    failed = 0
    for call in sample([one for one in made if one.name in TAKE_SPACE], 100 if SLOW else 5):
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "parts", folder)
        inject = f"inject={call.name}:error=ENOSPC:when={call.number}+"
        options = ["-e", f"trace={call.name}", "-e", inject, "-o", "/dev/null"]
        done = strace(llamapack, options, words)
        assert done.returncode in (0, 1), (call, done.stderr)
        failed += done.returncode
        llamapack.ran(*words)
        assert (folder / "m.llamafile").read_bytes() == whole.read_bytes()
    assert failed
