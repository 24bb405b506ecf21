"""Interrupts the real command as Ctrl-C and other programs do."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from helpers.stand_ins import CommandLine


def interrupted(
    llamapack: CommandLine,
    number: signal.Signals,
    *words: str | Path,
    cwd: Path,
    when: Callable[[], bool],
) -> subprocess.CompletedProcess[str]:
    """Run a command and send it a signal once `when` holds."""
    with subprocess.Popen(
        llamapack.command(*words),
        cwd=cwd,
        env=llamapack.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever started these tests may ignore it (nohup), and the command would too.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509
    ) as process:
        deadline = time.monotonic() + 60
        while not when():
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
