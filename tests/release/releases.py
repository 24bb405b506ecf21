"""Runs the release of the demo recipe, and programs that look at it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from helpers.repository import REPOSITORY


def run(
    *words: str | Path,
    cwd: Path = REPOSITORY,
    env: Mapping[str, str] | None = None,
    status: int | None = 0,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, which must have this status; None: any."""
    done = subprocess.run(
        words, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=1800
    )
    assert status in (None, done.returncode), done.stderr
    return done


def run_release(dist: Path, **environment: str) -> Path:
    """Make a release in `dist`, without the programs that need no Python: they take minutes."""
    words = ("-m", "ci.release", "demo", "--without", "programs", "-o", dist)
    run(sys.executable, *words, env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment})
    return dist
