"""Runs a command and says what it took: time, bytes from and to the disk, memory."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """Of one process and its children."""

    seconds: float
    processor: float
    """Seconds of all cores together."""
    read: int
    """Bytes that came from the disk."""
    written: int
    """Bytes that went to it."""
    peak: int
    """Bytes of memory, mapped files among them."""


def cost(command: list[str]) -> Cost:
    """Run a command to its end.

    Raises:
        SystemExit: it failed.
    """
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[2])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # its numbers can still be read then
    seconds = time.perf_counter() - start
    lines = Path(f"/proc/{process.pid}/io").read_text().splitlines()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    io = {key: int(value) for key, value in (line.split(": ") for line in lines)}
    return Cost(
        seconds,
        usage.ru_utime + usage.ru_stime,
        io["read_bytes"],
        io["write_bytes"],
        usage.ru_maxrss * 1024,
    )


def drop_caches(paths: Iterable[Path]) -> bool:
    """Bring all to the disk and out of memory; False: only the files at `paths`, for want of the
    right to drop more."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        for path in paths:
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return False
    return True
