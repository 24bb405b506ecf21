"""How scripts of the pipeline end: with an `ERROR` line and a status, never with a traceback."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable

from packer.io.console import Exit, error, reported


def status_of(work: Callable[[], int | None]) -> int:
    """Do the work of a script; its exit status, which is 0 where the work names none."""
    try:
        with reported():
            return work() or 0
    except Exit as request:
        return request.status
    except subprocess.CalledProcessError as problem:
        error(
            f"`{shlex.join(map(str, problem.cmd))}` ended with status {problem.returncode}",
            "Its output is above.",
        )
        return 1
