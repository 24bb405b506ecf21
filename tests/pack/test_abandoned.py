"""What a killed command leaves is removed by the next one that writes there; other files stay."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from helpers.part_sets import large_bundle, large_gguf, names
from helpers.stand_ins import CommandLine

from packer.io.temporary_files import temporary_files


def partials(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.endswith(".partial")]


@contextmanager
def started(
    llamapack: CommandLine, output: Path, *words: str | Path, number: signal.Signals
) -> Iterator[subprocess.Popen[bytes]]:
    """A command that got this signal while it had something half written."""
    process = subprocess.Popen(
        llamapack.command(*words, "-o", output), env=llamapack.environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 100
    try:
        while not any(_size(path) for path in output.parent.glob(f".{output.name}.*")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(number)
        yield process
    finally:
        process.kill()
        process.wait()


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.lstat().st_size
    return 0


@pytest.mark.parametrize("verb", ["pack", "split", "join"])
def test_killed_and_stopped(verb: str, tmp_path: Path, llamapack: CommandLine) -> None:
    """One of two is killed and one is stopped; a third one removes what is of the first."""
    folder = tmp_path / "here"
    folder.mkdir()
    if verb == "pack":
        words: list[str | Path] = ["pack", large_gguf(tmp_path, 30_000_000)]
    else:
        words = ["split", large_bundle(tmp_path, llamapack, 30_000_000), "--size", "4MB"]
    if verb == "join":
        (tmp_path / "parts").mkdir()
        llamapack.ran(*words, "-o", tmp_path / "parts")
        words = ["join", tmp_path / "parts" / "m.llamafile.cat0"]
    with started(llamapack, folder / "a.llamafile", *words, number=signal.SIGKILL) as killed:
        assert killed.wait() == -signal.SIGKILL
    dead = partials(folder)
    assert any(".a.llamafile." in path.name for path in dead)
    (folder / ".llamapack-0123456789ab.partial.txt").write_text("the user's own")
    (folder / ".x.llamapack-0123456789ab-0.partial").symlink_to(tmp_path)
    (folder / ".y.llamapack-0123456789ab-0.partial").mkdir()
    own = {path.name for path in folder.iterdir()} - {path.name for path in dead}
    with started(llamapack, folder / "b.llamafile", *words, number=signal.SIGSTOP) as stopped:
        assert not any(path.exists() for path in dead)
        assert any(".b.llamafile." in path.name for path in partials(folder))
        llamapack.ran(*words, "-o", folder / "c.llamafile")
        stopped.send_signal(signal.SIGCONT)
        assert stopped.wait() == 0
    left = set(names(folder))
    assert own <= left
    assert not [name for name in left - own if name.endswith(".partial")]
    made = [name for name in left if name.startswith("c.llamafile")]
    assert made
    for name in made:
        if not name.endswith(".sha256"):
            other = folder / name.replace("c.", "b.", 1)
            assert other.read_bytes() == (folder / name).read_bytes()


def test_names_that_are_long(tmp_path: Path, llamapack: CommandLine) -> None:
    output = tmp_path / ("n" * 225 + ".llamafile")
    llamapack.ran("pack", large_gguf(tmp_path), "-o", output, "-q")
    assert not partials(tmp_path)
    assert os.access(output, os.X_OK)


@pytest.mark.parametrize("kind", ["nowhere", "folder", "pipe"])
def test_a_lock_that_no_command_made(kind: str, tmp_path: Path) -> None:
    """It does not keep for ever what has its key, and is not followed."""
    lock = tmp_path / f".llamapack-{'a' * 12}.partial"
    left = tmp_path / f".x.llamapack-{'a' * 12}-0.partial"
    left.write_bytes(b"half")
    if kind == "nowhere":
        lock.symlink_to(tmp_path / "new")
    elif kind == "folder":
        lock.mkdir()
    else:
        os.mkfifo(lock)
    with temporary_files(tmp_path / "output"):
        assert not left.exists()
    assert names(tmp_path) == [lock.name]
