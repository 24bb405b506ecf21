"""`llamapack assimilate` of files that llamapack did not make; of bundles: tests/e2e."""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from apes import write_ape
from elftools.elf.elffile import ELFFile
from helpers.stand_ins import CommandLine, Refused

from packer.ape.elf_rules import printed


@pytest.fixture
def theirs(reader: Path, tmp_path: Path) -> Path:
    return write_ape(tmp_path / "their.com", reader)


def made(llamapack: CommandLine, path: Path, *words: str | Path) -> Path:
    done = llamapack("assimilate", path, *words)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def listed(path: Path) -> list[str]:
    """What the program finds in its own ZIP; started by the kernel, which knows no APE."""
    done = subprocess.run([path], capture_output=True, text=True, check=True)
    return [line.split()[0] for line in done.stdout.splitlines() if " " in line]


@pytest.mark.parametrize("target", ["linux-x86_64", "linux-x86_64-static"])
def test_a_copy(target: str, theirs: Path, tmp_path: Path, llamapack: CommandLine) -> None:
    before = theirs.read_bytes()
    with pytest.raises(OSError, match="Exec format error"):
        listed(theirs)
    output = tmp_path / "native"
    assert made(llamapack, theirs, "--target", target, "-o", output) == output
    assert theirs.read_bytes() == before
    (header,) = printed(before)
    assert output.read_bytes() == header + before[64:]
    assert listed(output) == ["usr/share/zoneinfo/UTC", ".args"]


def test_in_place(theirs: Path, llamapack: CommandLine) -> None:
    inode = theirs.stat().st_ino
    assert made(llamapack, theirs, "--target", "linux-x86_64", "-q") == theirs
    assert theirs.stat().st_ino == inode
    assert listed(theirs) == ["usr/share/zoneinfo/UTC", ".args"]
    with zipfile.ZipFile(theirs) as archive:
        assert archive.testzip() is None
    assert [path.name for path in theirs.parent.glob(".*")] == []


@pytest.mark.parametrize("kind", ["symlink", "hardlink"])
def test_a_second_name(
    kind: str, theirs: Path, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    """It is not changed in place; the tip's copy is made."""
    before = theirs.read_bytes()
    link = tmp_path / "link.com"
    getattr(link, f"{kind}_to")(theirs)
    words = ["assimilate", link, "--target", "linux-x86_64"]
    done = llamapack(*words)
    refused(done)
    assert "-o OUT" in done.stderr
    assert theirs.read_bytes() == before
    output = made(llamapack, *words[1:], "-o", tmp_path / "native")
    assert listed(output) == ["usr/share/zoneinfo/UTC", ".args"]
    assert theirs.read_bytes() == before


@pytest.mark.parametrize(
    ("target", "machine"), [("linux-aarch64", "EM_AARCH64"), ("linux-x86_64", "EM_X86_64")]
)
def test_each_machine(
    target: str, machine: str, ape: Path, tmp_path: Path, llamapack: CommandLine
) -> None:
    native = made(llamapack, ape, "--target", target, "-o", tmp_path / "native")
    with native.open("rb") as file:
        program = ELFFile(file)
        assert program["e_machine"] == machine
        loads = [s for s in program.iter_segments("PT_LOAD") if s["p_flags"] & 1]
        assert any(s["p_vaddr"] <= program["e_entry"] < s["p_vaddr"] + s["p_memsz"] for s in loads)


def test_windows_takes_it_as_it_is(ape: Path, tmp_path: Path, llamapack: CommandLine) -> None:
    before = ape.read_bytes()
    output = tmp_path / "native.exe"
    made(llamapack, ape, "--target", "windows-x86_64", "-o", output)
    made(llamapack, ape, "--target", "windows-x86_64")
    assert before == output.read_bytes() == ape.read_bytes()


def test_refusals(  # noqa: PLR0917
    theirs: Path, ape: Path, gguf: Path, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    native = made(llamapack, theirs, "--target", "linux-x86_64", "-o", tmp_path / "native")
    os.truncate(ape, 5 << 30)
    for path, words, text in (
        (theirs, ["--target", "macos-aarch64"], "has no program for macos-aarch64; it has: linux"),
        (gguf, ["--target", "linux-x86_64"], "is bare GGUF weights, not an APE file"),
        (native, ["--target", "linux-x86_64"], "is an ELF program, not an APE file"),
        (theirs, ["--target", "linux-x86_64", "-o", taken], "exists"),
        (ape, ["--target", "windows-x86_64"], "Windows starts no file of 4,294,967,296"),
        (tmp_path / "missing", ["--target", "linux-x86_64"], "is not a file"),
    ):
        assert text in refused(llamapack("assimilate", path, *words))
    assert taken.read_text() == "mine"
    made(llamapack, theirs, "--target", "linux-x86_64", "-o", taken, "--force")
    assert listed(taken)
