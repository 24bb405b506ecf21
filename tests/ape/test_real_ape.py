"""A program that Cosmopolitan's own tools have made: `pledge`, which the package cosmo-ent brings
along. It is for both architectures, with PE and Mach-O parts, loaders and a ZIP."""

from __future__ import annotations

import importlib.util
import json
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from helpers.stand_ins import CommandLine

from packer.ape.anatomy import take_apart

pytestmark = pytest.mark.skipif(
    not importlib.util.find_spec("cosmo_ent"), reason="cosmo-ent is not installed (pip)"
)
MEMBERS = [".symtab.amd64", ".symtab.arm64", "sandbox-x86_64.so", ".cosmo", "sandbox-aarch64.so"]


@pytest.fixture
def pledge(tmp_path: Path) -> Path:
    spec = importlib.util.find_spec("cosmo_ent")
    assert spec
    assert spec.origin
    source = Path(spec.origin).parent / "data" / "pledge"
    assert source.read_bytes().startswith(b"MZqFpD='")
    return shutil.copy(source, tmp_path / "pledge")


def usage(command: list[str | Path], home: Path) -> str:
    """What it prints for `-h`; its script puts a loader below `home`."""
    done = subprocess.run(
        [*command, "-h"],
        env={"HOME": str(home), "TMPDIR": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_it_keeps_the_rules(pledge: Path, llamapack: CommandLine) -> None:
    done = llamapack("ape", pledge, "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["ok"]
    assert [(one["machine"], one["os_abi"]) for one in facts["elf"]] == [
        ("x86_64", "FreeBSD"),
        ("aarch64", "FreeBSD"),
    ]
    assert [one["name"] for one in facts["pe"]["sections"]] == [".text", ".rdata", ".data"]
    [macho] = facts["macho"]
    assert [one["name"] for one in macho["segments"]] == [
        "__PAGEZERO",
        "__APE1",
        "__APE2",
        "__APE3",
    ]
    # Each range once; what the script then copies within the loader is no part of this file.
    assert [one["kind"] for one in facts["embedded"]] == [
        "a macOS program",
        "an ELF program, compressed by gzip",
        "text, compressed by gzip",
        "an ELF program, compressed by gzip",
    ]
    assert (facts["zip"]["members"], facts["zip"]["behind"]) == (len(MEMBERS), 0)


def test_inspect_shows_its_parts(pledge: Path, llamapack: CommandLine) -> None:
    facts = json.loads(llamapack("inspect", pledge, "--json").stdout)
    runtime = facts["runtime"]
    assert (runtime["archs"], runtime["version"]) == (["aarch64", "x86_64"], None)
    assert [member["name"] for member in facts["members"]] == MEMBERS
    assert [one["target"] for one in runtime["macho"]] == ["macos-x86_64"]


@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="it is started on Linux only"
)
def test_weights_in_it(pledge: Path, gguf: Path, tmp_path: Path, llamapack: CommandLine) -> None:
    output = tmp_path / "packed.llamafile"
    done = llamapack("pack", gguf, "--runtime", pledge, "-o", output, "-q")
    assert done.returncode == 0, done.stderr
    before = pledge.read_bytes()
    assert output.read_bytes()[: len(before)] == before
    with zipfile.ZipFile(output) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [*MEMBERS, "tiny.gguf", ".args"]
    assert llamapack("verify", output).returncode == 0
    assert llamapack("ape", output).returncode == 0
    assert usage(["sh", output], tmp_path) == usage(["sh", pledge], tmp_path)


@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="its script asks uname"
)
def test_assimilate_does_what_its_own_script_does(
    pledge: Path, tmp_path: Path, llamapack: CommandLine
) -> None:
    theirs = shutil.copy(pledge, tmp_path / "theirs")
    # No loader of another version may take over.
    env = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    subprocess.run(["bash", theirs, "--assimilate"], env=env, check=True)
    native = tmp_path / "native"
    words = ["assimilate", pledge, "--target", "linux-x86_64", "-o", native]
    assert llamapack(*words).returncode == 0
    assert native.read_bytes() == theirs.read_bytes() != pledge.read_bytes()
    assert "PROG ARGS" in usage([native], tmp_path)
    native.unlink()
    words[3] = "freebsd-x86_64"
    assert llamapack(*words).returncode == 0
    assert native.read_bytes() == theirs.read_bytes()


def test_assimilate_for_macos(pledge: Path, tmp_path: Path, llamapack: CommandLine) -> None:
    theirs = shutil.copy(pledge, tmp_path / "theirs")
    lines = take_apart(pledge).script_text.split(b"\n")
    [command] = [line for line in lines if line.startswith(b'dd if="$o" of="$o"')]
    subprocess.run(["sh", "-c", b"o=$0\n" + command, theirs], check=True)
    native = tmp_path / "native"
    done = llamapack("assimilate", pledge, "--target", "macos-x86_64", "-o", native)
    assert done.returncode == 0, done.stderr
    assert native.read_bytes() == theirs.read_bytes() != pledge.read_bytes()
    assert take_apart(native).native == "macos-x86_64"
