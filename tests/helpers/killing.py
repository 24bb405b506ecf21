"""Kills the real command at a chosen system call, or at any time."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from helpers.stand_ins import CommandLine

SLOW = "LLAMAPACK_KILL_TESTS" in os.environ
"""Whether to take all points, and not a sample."""

TAKE_SPACE = frozenset(
    ("write", "pwrite64", "copy_file_range", "fallocate", "fsync", "rename", "renameat2", "link")
)
"""Calls that a full disk makes fail."""

# Everything that changes files or makes changes lasting.
CALLS = (
    "write,pwrite64,pwritev,copy_file_range,sendfile,ioctl,fallocate,ftruncate,truncate,"
    "fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,fchmod,fchown"
)


def leftovers(path: Path) -> list[Path]:
    """Files of ours beside the bundle."""
    return [other for other in path.parent.iterdir() if other.name.startswith(f".{path.name}.")]


@dataclass(frozen=True)
class Call:
    """One system call of a command."""

    name: str
    number: int
    """From 1, among the calls of this name: so strace counts them."""
    text: str


def calls(
    llamapack: CommandLine, path: Path, *words: str | Path, threads: bool = False
) -> list[Call]:
    """Run a command to its end; what it did to the bundle and to files beside it, in order.

    Args:
        threads: whether others than the first may do so, whose calls are left out.
    """
    log = path.parent.with_name("strace.log")
    done = strace(llamapack, ["-y", "-e", f"trace={CALLS}", "-o", log], words)
    assert done.returncode == 0, done.stderr
    lines = [line.split(maxsplit=1) for line in log.read_text().splitlines()]
    main = lines[0][0]
    found = []
    counts: Counter[str] = Counter()
    for thread, text in lines:
        ours = str(path.parent) in text
        assert threads or thread == main or not ours, "strace counts per thread"
        if thread == main:
            name = text.partition("(")[0]
            counts[name] += 1
            if ours:
                found.append(Call(name, counts[name], text))
    return found


def killed_at(llamapack: CommandLine, call: Call, *words: str | Path) -> None:
    """Kill a command as it makes this call."""
    inject = f"inject={call.name}:signal=SIGKILL:when={call.number}"
    options = ["-e", f"trace={call.name}", "-e", inject, "-o", "/dev/null"]
    done = strace(llamapack, options, words)
    assert done.returncode == -9, (call, done.returncode, done.stderr)


def failing_at(
    llamapack: CommandLine, call: Call, error: str, *words: str | Path
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with an error such as `ENOSPC` at this call."""
    inject = f"inject={call.name}:error={error}:when={call.number}"
    options = ["-e", f"trace={call.name}", "-e", inject, "-o", "/dev/null"]
    return strace(llamapack, options, words)


def strace(
    llamapack: CommandLine, options: Sequence[str | Path], words: Sequence[str | Path]
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, or to what strace does to it."""
    if not shutil.which("strace"):
        pytest.skip("SKIPPED LOUDLY: no strace here, so nothing is killed at its system calls")
    return subprocess.run(
        ["strace", "-f", "-qq", *options, *llamapack.command(*words)],
        env={**llamapack.environment, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=_undisturbed,
    )


def _undisturbed() -> None:
    """Let signals through that whoever started these tests ignores."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def killed_after(llamapack: CommandLine, seconds: float, *words: str | Path) -> bool:
    """Kill a command after a time; False if it was done by then."""
    with subprocess.Popen(
        llamapack.command(*words),
        env=llamapack.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        time.sleep(seconds)
        process.kill()
        return process.wait() == -9


def sample(calls: Sequence[Call], wanted: int) -> list[Call]:
    """All of them, or some: the first, the last and every so many between."""
    if len(calls) <= wanted:
        return list(calls)
    return [calls[n * (len(calls) - 1) // (wanted - 1)] for n in range(wanted)]


@dataclass
class Change:
    """A command that changes a file in place."""

    path: Path
    """Alone in its folder."""
    words: list[str | Path]
    old: bytes
    new: bytes = b""

    def restore(self) -> None:
        for other in leftovers(self.path):
            other.unlink()
        self.path.write_bytes(self.old)

    def recovered(self, llamapack: CommandLine) -> bytes:
        """What the file holds after the next command; nothing of ours stays beside it."""
        if any(other.name.endswith("-undo") for other in leftovers(self.path)):
            said = llamapack("inspect", self.path)
            assert said.returncode == 1
            assert "interrupted" in said.stderr
            assert "llamapack edit" in said.stderr
            assert "restored as it was" in llamapack.ran("edit", self.path).stderr
            assert not leftovers(self.path)
        return self.path.read_bytes()

    def killed(self, llamapack: CommandLine, points: int) -> list[Call]:
        """Kill it at `points` of its calls, and at random times as often as calls are missing: the
        file is always the old or the new one. All its calls."""
        llamapack.ran(*self.words)  # so that engines are in the cache of deflated ones
        self.new = self.path.read_bytes()
        self.restore()
        made = calls(llamapack, self.path, *self.words)
        assert self.path.read_bytes() == self.new
        assert self.new != self.old
        seen = []
        for call in sample(made, points):
            self.restore()
            killed_at(llamapack, call, *self.words)
            result = self.recovered(llamapack)
            assert result in (self.old, self.new), f"lost at {call}"
            seen.append(result == self.new)
        assert sorted(seen) == seen, "once new, always new"
        # The same command goes through, whatever the last one left.
        if self.path.read_bytes() == self.old:
            llamapack.ran(*self.words)
        assert self.path.read_bytes() == self.new
        for _ in range(points - len(made)):
            self._killed_at_random(llamapack)
        return made

    def _killed_at_random(self, llamapack: CommandLine) -> None:
        self.restore()
        started = time.monotonic()
        llamapack.ran(*self.words)
        whole = time.monotonic() - started
        self.restore()
        killed_after(llamapack, random.uniform(whole / 4, whole), *self.words)
        assert self.recovered(llamapack) in (self.old, self.new)
