"""`llamapack pack --runtime`: weights in programs of others, which read their own ZIP."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from apes import write_ape
from helpers.foreign import ARGS, RUNTIME, write_foreign
from helpers.stand_ins import CommandLine, Refused, write_gguf

from runtime.formats.bundle import Bundle


@pytest.fixture(params=["ELF", "APE"])
def program(request: pytest.FixtureRequest, reader: Path, tmp_path: Path) -> Path:
    """The same program by itself without members, and as an APE with some."""
    path = tmp_path / "their-program"
    if request.param == "ELF":
        shutil.copy(reader, path)
        return path
    return write_ape(path, reader)


def packed(llamapack: CommandLine, *words: str | Path) -> Path:
    done = llamapack("pack", *words, "-q")
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def members(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def test_it_runs_with_weights_behind_it(
    program: Path, gguf: Path, tmp_path: Path, llamapack: CommandLine
) -> None:
    path = tmp_path / "theirs.llamafile"
    before = program.read_bytes()
    old = [] if before.startswith(b"\x7fELF") else members(program)
    words = ["--runtime", program, "-o", path, "--args", "-c 512 -p 'two words'"]
    assert packed(llamapack, gguf, *words) == path
    assert program.read_bytes() == before
    assert path.read_bytes()[: len(before)] == before
    own = ["tiny.gguf", ".args"]
    assert members(path) == [*(name for name in old if name != ".args"), *own]

    home = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        ["sh", "-c", '"$0"', path], env=home, capture_output=True, text=True, check=True
    )
    with Bundle.open(path) as bundle:
        listed = [f"{name} {bundle.data_offset(one)}" for name, one in bundle.members.items()]
        assert bundle.data_offset(bundle.members["tiny.gguf"]) % 65536 == 0
        assert b"".join(bundle.stream(bundle.members["tiny.gguf"])) == gguf.read_bytes()
    want = "-m\ntiny.gguf\n-c\n512\n-p\ntwo words\n...\n"
    assert done.stdout == "\n".join([*listed, f"<{want}>", ""])


def test_a_llamafile_as_others_make_it(tmp_path: Path, gguf: Path, llamapack: CommandLine) -> None:
    """Released ones hold weights of their own; ours are the default then."""
    old = {"weights.gguf": write_gguf(tmp_path / "w.gguf", seed=2).read_bytes(), ".args": ARGS}
    theirs = write_foreign(tmp_path / "their.llamafile", old)
    path = packed(llamapack, gguf, "--runtime", theirs, "-o", tmp_path / "new.llamafile")
    assert path.read_bytes().startswith(theirs.read_bytes())
    with zipfile.ZipFile(theirs) as before, zipfile.ZipFile(path) as after:
        for info in before.infolist():
            if info.filename != ".args":
                assert after.getinfo(info.filename).header_offset == info.header_offset
        assert after.read(".args") == b"-m\ntiny.gguf\n...\n"
        assert {*RUNTIME, "weights.gguf", "tiny.gguf", ".args"} == set(after.namelist())
    assert llamapack("verify", path).returncode == 0
    for tool in (["unzip", "-qqt"], ["7z", "t"], ["bsdtar", "-tf"]):
        assert subprocess.run([*tool, path], capture_output=True, check=False).returncode == 0


def test_the_same_inputs_give_the_same_bytes(
    tmp_path: Path, gguf: Path, llamapack: CommandLine
) -> None:
    theirs = write_foreign(tmp_path / "their.llamafile", {})
    one, two = (
        packed(llamapack, gguf, "--runtime", theirs, "-o", tmp_path / name) for name in "ab"
    )
    assert one.read_bytes() == two.read_bytes()


def test_inspect_says_what_it_is(tmp_path: Path, gguf: Path, llamapack: CommandLine) -> None:
    theirs = write_foreign(tmp_path / "their.llamafile", {})
    data = theirs.read_bytes()
    theirs.write_bytes(data.replace(b"# a shell script\n", b"llamafile v0.9.3\n", 1))
    path = packed(llamapack, gguf, "--runtime", theirs, "-o", tmp_path / "new.llamafile")
    facts = json.loads(llamapack("inspect", path, "--json").stdout)
    assert facts["args"]["words"] == ["-m", "tiny.gguf", "..."]
    assert facts["kind"] == "zip"
    assert facts["runtime"]["magic"] == "MZqFpD='"
    assert facts["runtime"]["version"] == "llamafile 0.9.3"
    assert "runtime llamafile 0.9.3: a script" in llamapack("inspect", path).stdout


def test_inspect_finds_archs(ape: Path, gguf: Path, tmp_path: Path, llamapack: CommandLine) -> None:
    path = packed(llamapack, gguf, "--runtime", ape, "-o", tmp_path / "new.llamafile")
    runtime = json.loads(llamapack("inspect", path, "--json").stdout)["runtime"]
    assert runtime["archs"] == ["aarch64", "x86_64"]
    assert runtime["pe"]["machine"] == "x86_64"
    text = llamapack("inspect", path).stdout
    assert "ELF          aarch64, x86_64" in text
    assert llamapack("ape", path).returncode == 0


def test_it_can_be_cut_into_parts(tmp_path: Path, gguf: Path, llamapack: CommandLine) -> None:
    theirs = write_foreign(tmp_path / "their.llamafile", {})
    whole = packed(llamapack, gguf, "--runtime", theirs, "-o", tmp_path / "whole.llamafile")
    done = llamapack(
        "pack", gguf, "--runtime", theirs, "-o", tmp_path / "cut.llamafile",
        "--split-size", "100000", "-q",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    parts = [Path(line) for line in done.stdout.splitlines() if ".cat" in line]
    assert len(parts) > 2
    assert b"".join(part.read_bytes() for part in parts) == whole.read_bytes()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--targets", "linux-x86_64"], "`--targets` is for bundles with llamapack's own engine"),
        (["--gpu", "none"], "`--gpu` is"),
        (["--format", "elf"], "`--format` is"),
        (["--windows", "none"], "`--windows` is"),
        (["--consume"], "`--consume` is"),
        (["--args", "-p ''"], "'' cannot be in the `.args` of another runtime"),
    ],
)
def test_what_does_not_go_together(  # noqa: PLR0917
    words: list[str], text: str, tmp_path: Path, gguf: Path, llamapack: CommandLine,
    refused: Refused,
) -> None:  # fmt: skip
    theirs = write_foreign(tmp_path / "their.llamafile", {})
    output = tmp_path / "new.llamafile"
    done = llamapack("pack", gguf, "--runtime", theirs, "-o", output, *words)
    assert text in refused(done)
    assert not output.exists()


def test_what_is_no_runtime(
    bundle: Path, gguf: Path, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    shifted = tmp_path / "shifted"
    inner = tmp_path / "inner.zip"
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("a", b"a")
    shifted.write_bytes(b"\x7fELF".ljust(100, b"\0") + inner.read_bytes())
    for path, text in (
        (gguf, "is bare GGUF weights"),
        (bundle, "is a bundle of llamapack already"),
        (tmp_path / "missing", "is not a file"),
        (shifted, "does not count its offsets from the file's first byte"),
    ):
        done = llamapack("pack", gguf, "--runtime", path, "-o", tmp_path / "new.llamafile")
        assert text in refused(done)
