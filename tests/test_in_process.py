"""That commands in this process do what they do in their own, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from pathlib import Path

import pytest
from helpers import in_process
from helpers.stand_ins import CommandLine


@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["pack", "--help"],
        ["pack"],
        ["nonsense"],
        ["inspect", "tiny.llamafile"],
        ["ls", "tiny.llamafile", "--json"],
        ["cat", "tiny.llamafile", ".args"],
        ["verify", "tiny.llamafile"],
        ["verify", "tiny.gguf"],
        ["pack", "tiny.gguf"],  # exists already
        ["edit", "tiny.llamafile", "--args", "--no-such-option"],
    ],
    ids=" ".join,
)
def test_both_are_alike(
    words: list[str], bundle: Path, tmp_path: Path, llamapack: CommandLine
) -> None:
    here, apart = llamapack(*words, cwd=tmp_path), llamapack.process(*words, cwd=tmp_path)
    assert (here.returncode, here.stdout, here.stderr) == (
        apart.returncode, apart.stdout, apart.stderr,
    )  # fmt: skip
    assert bundle.exists()


def state() -> object:
    return (
        Path.cwd(), dict(os.environ), sys.argv, sys.stdout, sys.stderr, list(warnings.filters),
        {number: signal.getsignal(number) for number in signal.valid_signals()},
        threading.enumerate(), sorted(Path("/proc/self/fd").iterdir()),
    )  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of open files")
def test_nothing_stays(bundle: Path, tmp_path: Path, llamapack: CommandLine) -> None:
    def commands() -> None:
        words = [
            ["pack", "tiny.gguf", "--force", "-q"], ["verify", "tiny.llamafile"],
            ["edit", "tiny.llamafile", "--args", "-c 9"], ["inspect", "nothing"],
            ["split", "tiny.llamafile", "--size", "130kB", "-q", "--force"], ["nonsense"],
        ]  # fmt: skip
        for one in words:
            llamapack(*one, cwd=tmp_path, TMPDIR=str(tmp_path))

    commands()  # imports
    before = state()
    commands()
    assert state() == before


def test_all_that_is_printed_and_how_it_ends() -> None:
    def main() -> int:
        assert os.environ == {"TZ": "Asia/Kathmandu"}
        assert not sys.stdin.read()
        sys.stdout.buffer.write(b"a\n")
        os.write(2, b"b\n")
        os.system("echo c")
        warnings.warn("d", stacklevel=1)
        raise KeyError("e")

    done = in_process.run(main, [], cwd=None, environment={"TZ": "Asia/Kathmandu"})
    assert done.returncode == 1
    assert sorted(done.stdout.split()) == ["a", "c"]
    assert [word in done.stderr for word in ("b\n", "UserWarning: d", "KeyError: 'e'")] == [
        True
    ] * 3
