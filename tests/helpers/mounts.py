"""File systems of a test's own: on a loop device, or private to one command."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from helpers.stand_ins import CommandLine

MAKE = {
    "ext4": ["mkfs.ext4", "-q"],
    "ext4-1k": ["mkfs.ext4", "-q", "-b", "1024"],
    "xfs": ["mkfs.xfs", "-q"],
    "btrfs": ["mkfs.btrfs", "-q"],
}


@contextmanager
def mounted(kind: str, folder: Path, size: int = 400 << 20) -> Iterator[Path]:
    """A file system of this kind in an image under `folder`."""
    image, place = folder / "image", folder / "mounted"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(size)
    for command in ([*MAKE[kind], image], ["mount", "-o", "loop", image, place]):
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as problem:
            why = getattr(problem, "stderr", "") or problem
            pytest.skip(f"SKIPPED LOUDLY: no {kind} here (tools, root, loop devices): {why}")
    yield place
    subprocess.run(["umount", place], check=True)


def used(place: Path) -> int:
    """Bytes that are taken on the disk of `place`."""
    subprocess.run(["sync", "-f", place], check=True)
    return shutil.disk_usage(place).used


def with_private_mounts(
    llamapack: CommandLine, script: str, *words: str | Path, cwd: Path
) -> subprocess.CompletedProcess[str]:
    """Run a shell script that mounts what only it sees.

    Args:
        script: it ends with status 77 where it cannot mount.
        words: its arguments.
    """
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", *map(str, words)],
        cwd=cwd,
        env=llamapack.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip(f"SKIPPED LOUDLY: no private mounts here: {done.stderr}")
    return done
