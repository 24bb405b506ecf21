"""What `llamapack pack` refuses: always one ERROR, one TIP, status 1, and nothing left behind."""

from __future__ import annotations

import os
import signal
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.interrupts import interrupted
from helpers.mounts import with_private_mounts
from helpers.stand_ins import CommandLine, Refused, write_gguf

_CASES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "not a GGUF": (lambda sound: b"PK\x03\x04" + sound, "is not a GGUF file"),
    "zero bytes": (lambda sound: b"", "is empty"),
    "truncated in the header": (lambda sound: sound[:200], "is truncated"),
    "truncated in the tensors": (lambda sound: sound[:-64], "is truncated"),
    "big-endian": (lambda sound: b"GGUF" + struct.pack(">I", 3) + sound[8:], "big-endian"),
    "unknown version": (lambda sound: b"GGUF" + struct.pack("<I", 9) + sound[8:], "version 9"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the output goes; the tests look at what is in it afterwards."""
    path = tmp_path / "out"
    path.mkdir()
    return path


@pytest.mark.parametrize("case", _CASES)
def test_bad_weights(
    case: str, gguf: Path, folder: Path, llamapack: CommandLine, refused: Refused
) -> None:
    damage, message = _CASES[case]
    gguf.write_bytes(damage(gguf.read_bytes()))
    assert message in refused(llamapack("pack", gguf, cwd=folder))
    assert list(folder.iterdir()) == []


def test_a_pipe_as_weights(
    tmp_path: Path, folder: Path, llamapack: CommandLine, refused: Refused
) -> None:
    """Nobody writes into it, so reading it would never end."""
    pipe = tmp_path / "pipe.gguf"
    os.mkfifo(pipe)
    assert "not a regular file" in refused(llamapack("pack", pipe, cwd=folder))


def test_bad_extra_files(
    gguf: Path, folder: Path, llamapack: CommandLine, refused: Refused
) -> None:
    junk = folder.parent / "junk"
    junk.write_bytes(b"\xff\xfe\0junk")
    for option, message in (
        ("--lora", "not a GGUF"),
        ("--mmproj", "not a GGUF"),
        ("--chat-template", "not UTF-8"),
        ("--args-file", "not UTF-8"),
    ):
        assert message in refused(llamapack("pack", gguf, option, junk, cwd=folder))
    done = llamapack("pack", gguf, "--chat-template", "nothing-such", cwd=folder)
    assert "nothing-such" in refused(done)
    assert "chatml" in done.stderr
    assert "never closed" in refused(llamapack("pack", gguf, "--args", "'-c", cwd=folder))
    for name in ("", " ", "..", "a/b", "a\\b", "a\x1b[2J"):
        done = llamapack("pack", gguf, "--name", name, cwd=folder)
        assert "cannot be the name of a bundle" in refused(done)
    done = llamapack("pack", gguf, cwd=folder, SOURCE_DATE_EPOCH="yesterday")
    assert "SOURCE_DATE_EPOCH" in refused(done)
    assert list(folder.iterdir()) == []


def test_a_directory_and_nothing_as_weights(
    folder: Path, llamapack: CommandLine, refused: Refused
) -> None:
    assert "does not contain a checkpoint" in refused(llamapack("pack", folder.parent, cwd=folder))
    assert "does not exist" in refused(llamapack("pack", "absent.gguf", cwd=folder))
    assert list(folder.iterdir()) == []


def test_bad_outputs(gguf: Path, folder: Path, llamapack: CommandLine, refused: Refused) -> None:
    taken = folder / "taken"
    taken.write_text("precious")
    assert "exists already" in refused(llamapack("pack", gguf, "-o", taken))
    assert taken.read_text() == "precious"
    fifo = folder / "fifo"
    os.mkfifo(fifo)
    assert "not a regular" in refused(llamapack("pack", gguf, "-o", fifo, "--force"))
    assert sorted(folder.iterdir()) == [fifo, taken]


def test_output_is_an_input(
    gguf: Path, folder: Path, llamapack: CommandLine, refused: Refused
) -> None:
    before = gguf.read_bytes()
    link = folder / "link"
    link.symlink_to(gguf)
    for output in (gguf, link):
        done = llamapack("pack", gguf, "-o", output, "--force")
        assert "is the output and an input" in refused(done)
    assert gguf.read_bytes() == before


def test_two_inputs_of_one_name(
    gguf: Path, folder: Path, llamapack: CommandLine, refused: Refused
) -> None:
    other = folder.parent / "llamapack-under-test" / gguf.name
    for kind, option in (("model", []), ("adapter", ["--lora"])):
        write_gguf(other, kind=kind)
        assert "two inputs" in refused(llamapack("pack", gguf, *option, other, cwd=folder))
    assert "two inputs" in refused(llamapack("pack", gguf, gguf, cwd=folder))
    assert list(folder.iterdir()) == []


def test_weights_in_the_place_of_others(
    gguf: Path, folder: Path, llamapack: CommandLine, refused: Refused
) -> None:
    adapter = write_gguf(folder.parent / "adapter.gguf", kind="adapter")
    projector = write_gguf(folder.parent / "projector.gguf", kind="mmproj")
    for words, message, way_out in (
        ([adapter], "adapter.gguf is an adapter (LoRA), not a model", "--lora"),
        ([gguf, "--draft", projector], "is a projector (mmproj), not a model", "--mmproj"),
        ([gguf, "--mmproj", adapter], "is an adapter (LoRA), not a projector", "--lora"),
        ([gguf, "--lora", gguf], "tiny.gguf is a model, not an adapter", "MODEL"),
    ):
        done = llamapack("pack", *words, cwd=folder)
        assert message in refused(done)
        assert way_out in done.stderr.splitlines()[1]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["a\nb.gguf", "a\\b.gguf", "\x1b[31m.gguf"])
def test_names_that_cannot_be_members(
    name: str, gguf: Path, folder: Path, llamapack: CommandLine, refused: Refused
) -> None:
    odd = gguf.rename(gguf.with_name(name))
    assert "cannot be the name" in refused(llamapack("pack", odd, cwd=folder))
    assert list(folder.iterdir()) == []


def test_a_damaged_engine(
    gguf: Path, folder: Path, llamapack: CommandLine, refused: Refused
) -> None:
    program = llamapack.engine / "llamapack-engine"
    program.write_bytes(program.read_bytes() + b"more")
    assert "are damaged: llamapack-engine" in refused(llamapack("pack", gguf, cwd=folder))
    program.unlink()
    assert "llamapack-engine does not exist" in refused(llamapack("pack", gguf, cwd=folder))
    (llamapack.engine / "SHA256SUMS").write_text("../../etc/passwd\n")
    assert "SHA256SUMS has a line" in refused(llamapack("pack", gguf, cwd=folder))
    assert list(folder.iterdir()) == []


def test_too_little_space(
    gguf: Path, folder: Path, llamapack: CommandLine, refused: Refused
) -> None:
    """Known before anything is written: a model of a petabyte, made of holes."""
    try:
        os.truncate(gguf, 15 << 40)
    except OSError as problem:
        pytest.skip(f"SKIPPED LOUDLY: no sparse file of 15 TiB here: {problem}")
    assert "no space" in refused(llamapack("pack", gguf, cwd=folder))
    assert list(folder.iterdir()) == []


_MEGABYTE = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
"""


def test_a_limit_on_file_size(
    gguf: Path, folder: Path, llamapack: CommandLine, refused: Refused
) -> None:
    """As FAT32 has one: found out before anything is written, or when it is reached."""
    for size, message in (
        (5 << 30, "more than its file system or `ulimit -f` allows"),
        (4 << 20, "File too"),
    ):
        os.truncate(gguf, size)
        with gguf.open("r+b") as file:
            file.seek(size - 1000)
            file.write(b"x" * 1000)
        done = llamapack("pack", gguf, first=_MEGABYTE, cwd=folder)
        assert message in refused(done)
        assert list(folder.iterdir()) == []


_PLENTY = """
import shutil, types
shutil.disk_usage = lambda path: types.SimpleNamespace(free=1 << 60)
"""

_ON_A_SMALL_DISK = """
mkdir full && mount -t tmpfs -o size=1m tmpfs full || exit 77
"$@"
status=$?
echo "left: $(ls -A full)" >&2
exit $status
"""


def test_a_disk_that_fills_up(
    gguf: Path, folder: Path, llamapack: CommandLine, refused: Refused
) -> None:
    """One of 1 MB, which seemed large enough when the free space was looked at."""
    with gguf.open("ab") as file:
        file.write(os.urandom(8 << 20))
    pack = llamapack.command("pack", gguf, "-o", "full/x.llamafile", first=_PLENTY)
    done = with_private_mounts(llamapack, _ON_A_SMALL_DISK, *pack, cwd=folder)
    lines = done.stderr.splitlines()
    assert lines.pop() == "left: "
    done.stderr = "\n".join(lines)
    assert "No space left" in refused(done)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_leaves_nothing(
    number: signal.Signals, gguf: Path, folder: Path, llamapack: CommandLine, refused: Refused
) -> None:
    os.truncate(gguf, 6 << 30)  # long enough to be hit in the middle, and on disk only holes

    def is_written() -> bool:
        return any(path.stat().st_size > 1 << 20 for path in folder.iterdir())

    done = interrupted(llamapack, number, "pack", gguf, cwd=folder, when=is_written)
    assert "interrupted" in refused(done)
    assert list(folder.iterdir()) == []
