"""Whenever `pack --consume` is killed, the model is there or the bundle; run again, the bundle is.

The real command; strace sends it SIGKILL as it enters a call that changes something.
"""

from __future__ import annotations

import io
import os
import random
import signal
import time
from pathlib import Path

import pytest
from consuming import EXE_BESIDE, Scene
from helpers.killing import (
    SLOW,
    TAKE_SPACE,
    Call,
    calls,
    failing_at,
    killed_after,
    killed_at,
    leftovers,
    sample,
    strace,
)
from helpers.stand_ins import CommandLine, Refused, write_gguf

from packer.edit.moves import Move
from packer.edit.undo import Change, Undo
from packer.io.file_system import insert_range
from runtime.formats.undo_file import undo_path

POINTS = 220 if SLOW else 12
"""For each test: at calls, and at random times as many as are missing."""

pytestmark = pytest.mark.timeout(3000)


@pytest.fixture(params=["alone", "with others"])
def scene(request: pytest.FixtureRequest, tmp_path: Path, llamapack: CommandLine) -> Scene:
    if request.param == "alone":
        return Scene(tmp_path, llamapack)
    projector = write_gguf(tmp_path / "eyes.gguf", kind="mmproj")
    return Scene(tmp_path, llamapack, "--mmproj", projector, "--args", "-c 9", first=EXE_BESIDE)


def nothing_is_lost(scene: Scene, *, taken_back: bool) -> None:
    """After a kill; then the same command makes the bundle.

    Args:
        taken_back: whether `llamapack edit` comes between.
    """
    undo = undo_path(scene.model)
    if not scene.model.exists():
        assert scene.bundle.read_bytes() == scene.new["m.llamafile"]
    elif not undo.exists():
        assert scene.model.read_bytes() == scene.old
    elif taken_back:
        if scene.model.read_bytes() != scene.old:
            said = scene.llamapack("inspect", scene.model)
            assert f"llamapack edit {scene.model}" in said.stderr
        done = scene.llamapack("edit", scene.model)
        assert (done.returncode, "restored as it was" in done.stderr) == (0, True), done.stderr
        assert scene.model.read_bytes() == scene.old
        assert not leftovers(scene.model)
    if scene.model.exists() or undo.exists():
        done = scene.run()
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[0] == str(scene.bundle)
    scene.is_made()


def test_killed_at_any_call(scene: Scene) -> None:
    made = calls(scene.llamapack, scene.model, *scene.words)
    scene.is_made()
    kinds = {call.name for call in made}
    assert {"fallocate", "write", "fsync", "rename", "renameat2", "unlink"} <= kinds
    for number, call in enumerate(sample(made, POINTS)):
        scene.restore()
        killed_at(scene.llamapack, call, *scene.words)
        nothing_is_lost(scene, taken_back=number % 2 == 0)
    for number in range(POINTS - len(made)):
        scene.restore()
        started = time.monotonic()
        assert scene.run().returncode == 0
        whole = time.monotonic() - started
        scene.restore()
        killed_after(scene.llamapack, random.uniform(whole / 4, whole), *scene.words)
        nothing_is_lost(scene, taken_back=number % 2 == 0)


def test_killed_again_while_it_is_taken_back(scene: Scene) -> None:
    made = calls(scene.llamapack, scene.model, *scene.words)
    writes = [call for call in made if call.name == "write" and "m.gguf>" in call.text]
    scene.restore()
    killed_at(scene.llamapack, writes[-2], *scene.words)
    again = calls(scene.llamapack, scene.model, *scene.words)
    scene.is_made()
    for call in sample(again, POINTS // 2):
        scene.restore()
        killed_at(scene.llamapack, writes[-2], *scene.words)
        killed_at(scene.llamapack, call, *scene.words)
        nothing_is_lost(scene, taken_back=False)


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        ("fallocate:EOPNOTSUPP", "cannot insert"),
        ("fallocate:ENOSPC", "No space left"),
        ("renameat2:EACCES", "Permission denied"),
        ("renameat2:EEXIST", "exists already"),
        ("write:ENOSPC", "No space left"),
        ("fsync:EIO", "Input/output error"),
    ],
)
def test_a_call_that_fails(
    failure: str, message: str, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    """The model is as it was at once."""
    name, _, error = failure.partition(":")
    scene = Scene(tmp_path, llamapack, first=EXE_BESIDE)
    # Folders may fail to reach the disk: not every file system can do that.
    made = [
        call
        for call in calls(scene.llamapack, scene.model, *scene.words)
        if call.name != "fsync" or "m.gguf>" in call.text
    ]
    for call in (_last(made, name), next(call for call in made if call.name == name)):
        scene.restore()
        assert message in refused(failing_at(scene.llamapack, call, error, *scene.words))
        scene.is_untouched()


def test_a_full_disk_in_each_phase(tmp_path: Path, llamapack: CommandLine) -> None:
    """The model is as it was at once, or the bundle is made."""
    scene = Scene(tmp_path, llamapack, first=EXE_BESIDE)
    made = [
        call
        for call in calls(scene.llamapack, scene.model, *scene.words)
        if call.name in TAKE_SPACE
    ]
    for call in sample(made, POINTS // 2):
        scene.restore()
        done = failing_at(scene.llamapack, call, "ENOSPC", *scene.words)
        print(call)  # seen where a test fails
        if done.returncode:
            assert done.stderr.count("ERROR") == 1, done.stderr
            assert str(scene.folder) in done.stderr, done.stderr
            scene.is_untouched()
        else:
            scene.is_made()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_at_any_call(
    number: signal.Signals, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    """The model is as it was, or the bundle is made."""
    scene = Scene(tmp_path, llamapack, first=EXE_BESIDE)
    made = calls(scene.llamapack, scene.model, *scene.words)
    for call in sample(made, POINTS):
        scene.restore()
        inject = f"inject={call.name}:signal={number.name}:when={call.number}"
        options = ["-e", f"trace={call.name}", "-e", inject, "-o", "/dev/null"]
        done = strace(scene.llamapack, options, scene.words)
        print(call)  # seen where a test fails
        if scene.model.exists():
            assert "interrupted" in refused(done)
            scene.is_untouched()
        elif undo_path(scene.model).exists():
            nothing_is_lost(scene, taken_back=False)
        else:
            scene.is_made()


def _last(made: list[Call], name: str) -> Call:
    """The last of this name before the file has its new one."""
    count = next(index for index, call in enumerate(made) if call.name == "renameat2")
    return [call for call in made[: count + 1] if call.name == name][-1]


def test_where_a_rename_replaces_what_is_there(
    tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    """An old kernel, or a file system without renames that do not."""
    scene = Scene(tmp_path, llamapack)
    made = calls(scene.llamapack, scene.model, *scene.words)
    for error in ("ENOSYS", "EINVAL"):
        scene.restore()
        done = failing_at(scene.llamapack, _last(made, "renameat2"), error, *scene.words)
        assert done.returncode == 0, done.stderr
        scene.is_made()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1.0])
def test_a_move_cut_off_by_loss_of_power(
    share: float, tmp_path: Path, llamapack: CommandLine
) -> None:
    """The file system has moved some of the extents, and its hole is somewhere in the middle."""
    scene = Scene(tmp_path, llamapack)
    head = scene.new["m.llamafile"].index(scene.old)
    hole = int(len(scene.old) * share) // 65536 * 65536
    with io.FileIO(scene.model, "r+b") as file:
        Undo(scene.model, file, Change(len(scene.old), [], Move(0, head)))
        insert_range(file.fileno(), hole, head)
        os.fsync(file.fileno())
    nothing_is_lost(scene, taken_back=share > 0.5)
