"""Whenever `edit` or `upgrade` is killed, the file is the old one or the new one afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from edit_files import NewEngine, ran
from helpers.killing import SLOW, TAKE_SPACE, Change, calls, leftovers, sample, strace
from helpers.stand_ins import CommandLine, write_gguf

POINTS = 200 if SLOW else 7
"""For each command: at its calls, and at random times as many as are missing."""


Prepare = Callable[[str], Change]
KINDS = ["edit", "add", "grow", "shrink", "same", "copy"]


@pytest.fixture
def prepare(tmp_path: Path, path: Path, new_engine: NewEngine) -> Prepare:
    def make(kind: str) -> Change:
        old = path.read_bytes()
        words: list[str | Path] = ["upgrade", path, "-q"]
        if kind == "edit":
            words = ["edit", path, "-q", "--args", "-c 9", "--chat-template", "chatml"]
        elif kind == "add":
            words = ["edit", path, "-q", "--add", write_gguf(tmp_path / "second.gguf", seed=3)]
        elif kind == "copy":
            words = ["edit", path, "-q", "--copy", "--args", "-c 9"]
        else:
            new_engine({"grow": 900_000, "shrink": 20_000, "same": 300_001}[kind])
        return Change(path, words, old)

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_any_call(kind: str, prepare: Prepare, llamapack: CommandLine) -> None:
    change = prepare(kind)
    made = change.killed(llamapack, POINTS)
    assert any(call.name == "fallocate" for call in made) is (kind in ("grow", "shrink")), made
    ran(llamapack, "edit", change.path, "--name", "z")
    assert not leftovers(change.path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_in_each_phase(kind: str, prepare: Prepare, llamapack: CommandLine) -> None:
    """Full for one call: the file is as it was at once. Full from there on: the next command."""
    change = prepare(kind)
    ran(llamapack, *change.words)
    change.new = change.path.read_bytes()
    change.restore()
    made = [one for one in calls(llamapack, change.path, *change.words) if one.name in TAKE_SPACE]
    failed = 0
    for call in sample(made, 40 if SLOW else 4):
        for lasting in ("", "+"):
            change.restore()
            inject = f"inject={call.name}:error=ENOSPC:when={call.number}{lasting}"
            options = ["-e", f"trace={call.name}", "-e", inject, "-o", "/dev/null"]
            done = strace(llamapack, options, change.words)
            assert done.returncode in (0, 1), (call, done.stderr)
            failed += done.returncode
            if not lasting:  # else the ERROR line may not be written, either
                assert done.stderr.count("ERROR") == done.returncode, (call, done.stderr)
                assert not done.returncode or change.path.name in done.stderr, done.stderr
                assert not leftovers(change.path), call
            assert change.recovered(llamapack) in (change.old, change.new), f"lost at {call}"
    assert failed
