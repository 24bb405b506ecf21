"""What happens to files of a cache: full disks, losses of power, backups, other programs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest


def damaged(damage: str, path: Path, aside: Path) -> None:
    """Do that to a file.

    Args:
        damage: one of `DAMAGES`.
        aside: a folder outside the cache, for what links lead to.
    """
    if damage == "another's" and os.geteuid() != 0:
        pytest.skip("only root can give files to others")
    DAMAGES[damage](path, aside)


def bit_flipped(path: Path, offset: int) -> None:
    """Another byte at this place."""
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def flipped(path: Path) -> None:
    """One byte is another, and the time of the last write is what it was."""
    info, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


def _directory(path: Path, _: Path) -> None:
    path.unlink()
    (path / "deep").mkdir(parents=True)
    (path / "deep" / "file").touch()


def _link(path: Path, aside: Path) -> None:
    copy = aside / "copy"
    path.rename(copy)
    flipped(copy)
    path.symlink_to(copy)


def _link_to_a_directory(path: Path, aside: Path) -> None:
    (aside / "theirs").mkdir()
    (aside / "theirs" / "file").touch()
    path.unlink()
    path.symlink_to(aside / "theirs")


def _dangling_link(path: Path, _: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def fifo(path: Path, _: Path) -> None:
    """Whoever opens it waits for a writer."""
    path.unlink()
    os.mkfifo(path)
    path.chmod(0o700)


def _written(path: Path, data: bytes) -> None:
    path.write_bytes(data)


DAMAGES: dict[str, Callable[[Path, Path], None]] = {
    "gone": lambda path, _: path.unlink(),
    "empty": lambda path, _: os.truncate(path, 0),
    "cut": lambda path, _: os.truncate(path, path.stat().st_size // 2),
    "zeros": lambda path, _: _written(path, bytes(path.stat().st_size)),
    "flipped": lambda path, _: flipped(path),
    "longer": lambda path, _: _written(path, path.read_bytes() + b"\0"),
    "directory": _directory,
    "link": _link,
    "link to a directory": _link_to_a_directory,
    "dangling link": _dangling_link,
    "fifo": fifo,
    "not executable": lambda path, _: path.chmod(0o600),
    "no rights": lambda path, _: path.chmod(0),
    "others may write": lambda path, _: path.chmod(0o777),
    "another's": lambda path, _: os.chown(path, 12345, 12345),
}
