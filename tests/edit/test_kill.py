"""Whenever `edit` or `upgrade` is killed, the file is the old one or the new one afterwards."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from edit_files import NewEngine, ran
from helpers.killing import SLOW, calls, killed_after, killed_at, leftovers, sample, strace
from helpers.stand_ins import CommandLine, write_gguf

POINTS = 200 if SLOW else 7
"""For each command: at its calls, and at random times as many as are missing."""


@dataclass
class Case:
    path: Path
    words: list[str | Path]
    old: bytes
    new: bytes

    def restore(self) -> None:
        for other in leftovers(self.path):
            other.unlink()
        self.path.write_bytes(self.old)


Prepare = Callable[[str], Case]
KINDS = ["edit", "add", "grow", "shrink", "same", "copy"]
_TAKE_SPACE = {"write", "pwrite64", "copy_file_range", "fallocate", "fsync", "rename", "link"}


@pytest.fixture
def prepare(tmp_path: Path, path: Path, new_engine: NewEngine) -> Prepare:
    def make(kind: str) -> Case:
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
        return Case(path, words, old, b"")

    return make


def recovered(case: Case, llamapack: CommandLine) -> bytes:
    """What the file holds after the next command; nothing of ours stays beside it."""
    undo = [other for other in leftovers(case.path) if other.name.endswith("-undo")]
    if undo:
        said = llamapack("inspect", case.path)
        assert said.returncode == 1
        assert "interrupted" in said.stderr
        assert "llamapack edit" in said.stderr
        assert "restored as it was" in ran(llamapack, "edit", case.path)
        assert not leftovers(case.path)
    return case.path.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_any_call(kind: str, prepare: Prepare, llamapack: CommandLine) -> None:
    case = prepare(kind)
    ran(llamapack, *case.words)  # so that engines are in the cache of deflated ones
    case.new = case.path.read_bytes()
    case.restore()
    made = calls(llamapack, case.path, *case.words)
    assert case.path.read_bytes() == case.new
    assert case.new != case.old
    assert any(call.name == "fallocate" for call in made) is (kind in ("grow", "shrink")), made
    seen = []
    for call in sample(made, POINTS):
        case.restore()
        killed_at(llamapack, call, *case.words)
        result = recovered(case, llamapack)
        assert result in (case.old, case.new), f"lost at {call}"
        seen.append(result == case.new)
    # The same command goes through, whatever the last one left.
    if case.path.read_bytes() == case.old:
        ran(llamapack, *case.words)
    assert case.path.read_bytes() == case.new
    assert sorted(seen) == seen, "once new, always new"
    ran(llamapack, "edit", case.path, "--name", "z")
    assert not leftovers(case.path)
    for _ in range(POINTS - len(made)):
        _kill_at_random(case, llamapack)


def _kill_at_random(case: Case, llamapack: CommandLine) -> None:
    case.restore()
    started = time.monotonic()
    ran(llamapack, *case.words)
    whole = time.monotonic() - started
    case.restore()
    killed_after(llamapack, random.uniform(whole / 4, whole), *case.words)
    assert recovered(case, llamapack) in (case.old, case.new)


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_in_each_phase(kind: str, prepare: Prepare, llamapack: CommandLine) -> None:
    """Full for one call: the file is as it was at once. Full from there on: the next command."""
    case = prepare(kind)
    ran(llamapack, *case.words)
    case.new = case.path.read_bytes()
    case.restore()
    made = [one for one in calls(llamapack, case.path, *case.words) if one.name in _TAKE_SPACE]
    failed = 0
    for call in sample(made, 40 if SLOW else 4):
        for lasting in ("", "+"):
            case.restore()
            inject = f"inject={call.name}:error=ENOSPC:when={call.number}{lasting}"
            options = ["-e", f"trace={call.name}", "-e", inject, "-o", "/dev/null"]
            done = strace(llamapack, options, case.words)
            assert done.returncode in (0, 1), (call, done.stderr)
            failed += done.returncode
            if not lasting:  # else the ERROR line may not be written, either
                assert done.stderr.count("ERROR") == done.returncode, (call, done.stderr)
                assert not leftovers(case.path), call
            assert recovered(case, llamapack) in (case.old, case.new), f"lost at {call}"
    assert failed
