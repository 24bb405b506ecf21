"""Scripts of the pipeline say what they take, and refuse wrong words as `llamapack` does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.repository import REPOSITORY
from releases import run

SHELL = sorted(
    path for path in (REPOSITORY / "ci").iterdir()
    if path.is_file() and path.read_bytes().startswith(b"#!/bin/sh")
)  # fmt: skip
MODULES = sorted(
    path for path in (REPOSITORY / "ci").rglob("*.py") if "if __name__ ==" in path.read_text()
)


def module(path: Path) -> str:
    """What Python's `-m` calls it."""
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__main__")


def called(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY)}
    return run(*words, cwd=cwd, env=env, status=None)


def expect_help(done: subprocess.CompletedProcess[str], *named: str) -> None:
    assert (done.returncode, done.stderr) == (0, "")
    first, *more = done.stdout.splitlines()
    assert first.startswith("usage: ")
    assert all(name in first for name in named)
    assert len(more) > 2


def expect_usage(done: subprocess.CompletedProcess[str]) -> None:
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: ")
    assert "error: " in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("script", SHELL, ids=lambda path: path.name)
def test_shell_scripts_help_before_they_set_anything_up(script: Path, tmp_path: Path) -> None:
    """Beside a copy there is nothing that they could set up with."""
    (tmp_path / "ci").mkdir()
    for path in (script, script.with_name("words.sh")):
        shutil.copy(path, tmp_path / "ci")
    expect_help(called("sh", f"ci/{script.name}", "--help", cwd=tmp_path), f"sh ci/{script.name}")
    if script.name not in ("demo", "test"):  # They hand their words on.
        expect_usage(called("sh", f"ci/{script.name}", "--no-such-option", cwd=tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ci"]


def test_a_bump_takes_one_version() -> None:
    for words in ([], ["latest"], ["3.22.1", "3.22.2"]):
        expect_usage(called("sh", "ci/bump", *words, cwd=REPOSITORY))


@pytest.mark.parametrize("path", MODULES, ids=module)
def test_modules_help_and_refuse(path: Path, tmp_path: Path) -> None:
    words = (sys.executable, "-m", module(path))
    expect_help(called(*words, "--help", cwd=tmp_path), f"python -m {module(path)}")
    expect_usage(called(*words, "--no-such-option", cwd=tmp_path))
    assert not list(tmp_path.iterdir())


def test_all_that_documents_how_it_is_called_can_be_called() -> None:
    documented = {
        path for path in (REPOSITORY / "ci").rglob("*.py") if "\nUsage: " in path.read_text()
    }
    assert documented <= set(MODULES)


@pytest.mark.parametrize(
    "words",
    [
        ["ci.release", "no-such-recipe"],
        ["ci.release.bundle", "no-such-recipe", "hub", "assets"],
        ["ci.release.checksums", "nowhere"],
        ["ci.release.collect", "nowhere"],
        ["ci.release.programs", "folder", "nowhere.whl"],
        ["ci.release.publish", "nowhere", "--tag", "v1"],
        ["ci.release.seal", "nowhere"],
        ["ci.reproduction", "no-such-thing"],
        ["ci.reproduction", "--work", "nowhere"],
    ],
    ids=lambda words: words[0],
)
def test_no_traceback(words: list[str], tmp_path: Path) -> None:
    done = called(sys.executable, "-m", *words, cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["ERROR", "TIP"], done.stderr
