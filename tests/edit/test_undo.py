"""Interrupted changes are taken back, however far they and an earlier taking back came."""

from __future__ import annotations

import io
import os
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
from edit_files import NewEngine, ran
from helpers.killing import SLOW, Call, calls, killed_at, leftovers, sample
from helpers.stand_ins import CommandLine, Refused

from packer.edit.moves import Move
from packer.edit.undo import Change, Undo
from packer.io.file_system import collapse_range, insert_range
from runtime.formats.bundle import Bundle
from runtime.formats.undo_file import undo_path

POINTS = 200 if SLOW else 4
BLOCK = 65536


def torn(llamapack: CommandLine, path: Path) -> None:
    """Kill an upgrade when the weights are moved and the tail is half written."""
    old = path.read_bytes()
    ran(llamapack, "upgrade", path, "-q")
    path.write_bytes(old)
    made = calls(llamapack, path, "upgrade", path, "-q")
    path.write_bytes(old)
    assert any(call.name == "fallocate" for call in made)
    last_write = [call for call in made if call.name == "write"][-3]
    killed_at(llamapack, last_write, "upgrade", path, "-q")
    assert undo_path(path).exists()


@pytest.mark.parametrize("size", [900_000, 20_000])
def test_taking_back_can_be_killed(
    size: int, path: Path, llamapack: CommandLine, new_engine: NewEngine
) -> None:
    old = path.read_bytes()
    new_engine(size)
    torn(llamapack, path)
    aside = path.parent.parent / "torn"
    shutil.copytree(path.parent, aside)
    made = calls(llamapack, path, "edit", path)
    assert path.read_bytes() == old
    points = [Call("", 0, ""), *sample(made, POINTS)]
    for first, second in pairwise(points):
        for copy in aside.iterdir():
            shutil.copyfile(copy, path.with_name(copy.name))
        for call in (first, second):
            if call.number and undo_path(path).exists():
                _killed_or_done(llamapack, call, path)
        if undo_path(path).exists():
            ran(llamapack, "edit", path)
        assert path.read_bytes() == old, (first, second)
        assert not leftovers(path)


def _killed_or_done(llamapack: CommandLine, call: Call, path: Path) -> None:
    """The second time there may be fewer calls."""
    try:
        killed_at(llamapack, call, "edit", path)
    except AssertionError:
        assert not undo_path(path).exists()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("by", [5 * BLOCK, -BLOCK])
def test_a_move_cut_off_by_loss_of_power(
    by: int, share: float, path: Path, llamapack: CommandLine
) -> None:
    """The file system has moved some of the extents, and its hole is somewhere in the middle."""
    old = path.read_bytes()
    with Bundle.open(path) as bundle:
        (weights,) = bundle.weights
        start = bundle.data_offset(weights)
    hole = start + min(by, 0) + int((len(old) - start) * share) // BLOCK * BLOCK
    with io.FileIO(path, "r+b") as file:
        tail = bundle.directory.offset
        change = Change(
            len(old), [(0, start), (tail, len(old) - tail)], Move(start + min(by, 0), by)
        )
        Undo(path, file, change)
        if by < 0:
            collapse_range(file.fileno(), start + by, -by)
        insert_range(file.fileno(), hole, abs(by))
        os.fsync(file.fileno())
    assert path.read_bytes() != old
    ran(llamapack, "edit", path)
    assert path.read_bytes() == old


def test_a_change_begins_by_taking_back(
    path: Path, llamapack: CommandLine, new_engine: NewEngine
) -> None:
    new_engine(900_000)
    torn(llamapack, path)
    for words in (["inspect"], ["ls"], ["verify"], ["extract", "-C", path.parent]):
        done = llamapack(words[0], path, *words[1:])
        assert done.returncode == 1
        assert f"llamapack edit {path}" in done.stderr
    assert "restored as it was" in ran(llamapack, "edit", path, "--args", "-c 77")
    assert not leftovers(path)
    with Bundle.open(path) as bundle:
        assert bundle.args.endswith("-c 77\n")
    ran(llamapack, "verify", path)


def test_another_file_of_that_name_is_left_alone(
    path: Path, large: Path, llamapack: CommandLine, new_engine: NewEngine, refused: Refused
) -> None:
    """Such as a fresh download in place of the one that was being changed."""
    new_engine(900_000)
    torn(llamapack, path)
    other = os.urandom(path.stat().st_size)
    path.write_bytes(other)
    assert "belongs to another file" in refused(llamapack("edit", path))
    path.write_bytes(b"short")
    assert "belongs to another file" in refused(llamapack("edit", path))
    ran(llamapack, "pack", large, "-o", path, "--force")
    assert not leftovers(path)
    ran(llamapack, "verify", path)


def test_a_damaged_undo_file_is_not_used(
    path: Path, llamapack: CommandLine, new_engine: NewEngine, refused: Refused
) -> None:
    new_engine(900_000)
    torn(llamapack, path)
    before = path.read_bytes()
    undo = undo_path(path)
    sound = undo.read_bytes()
    for damaged in (b"", sound[:1000], sound[:5000] + b"?" + sound[5001:], b"?" + sound[1:]):
        undo.write_bytes(damaged)
        assert "is damaged" in refused(llamapack("edit", path))
        assert path.read_bytes() == before
