"""Runs the release of the demo recipe."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def run_release(dist: Path, **environment: str) -> Path:
    """Make a release in `dist`, without the programs that need no Python: they take minutes."""
    done = subprocess.run(
        [sys.executable, "-m", "ci.release", "demo", "--without", "programs", "-o", str(dist)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dist
