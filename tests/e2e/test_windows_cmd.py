"""One file for Unix and, as NAME.cmd, for Windows, at any size: Wine's cmd.exe, with a stand-in for
Windows' own tar.exe; and Debian's bsdtar, which is made of the same library as that one."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest
from helpers.repository import DEMO
from helpers.running import CLI, answer, llamapack, pack, pack_saying, run, succeed
from helpers.windows_tar import tar_stand_in
from wine import Wine

STUB, ENGINE = "start/windows-x86_64.exe", "engines/windows-x86_64/llamapack-engine.exe"


@pytest.fixture(scope="module")
def cmd(wine: Wine, request: pytest.FixtureRequest) -> Wine:
    shutil.copy(tar_stand_in(request.config), wine.system32 / "tar.exe")
    return wine


@pytest.fixture(scope="module")
def bundle(engines: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be changed."""
    output = tmp_path_factory.mktemp("cmd") / "m.cmd"
    return pack(DEMO, "--windows", "cmd", "--targets", ",".join(engines), output=output)


def says(cmd: Wine, bundle: Path, *words: str) -> tuple[int, bytes, bytes]:
    """Status, and what it prints behind the line that cmd.exe shows before echo is off."""
    done = cmd.run(Path("cmd"), "/c", "Z:" + str(bundle).replace("/", "\\"), *words)
    first, _, rest = done.stdout.replace(b"\r\n", b"\n").lstrip().partition(b"\n")
    assert first.endswith(b">jartsr=' 2>nul ")
    return done.returncode, rest, done.stderr


def test_the_same_bytes_answer_as_on_linux(cmd: Wine, bundle: Path, expected: bytes) -> None:
    for _ in "cold", "warm":
        status, out, errors = says(cmd, bundle, *CLI)
        assert (status, out.rstrip()) == (0, expected.rstrip()), errors
    assert [path.suffix for path in (cmd.local_app_data / "llamapack/stubs").iterdir()] == [".exe"]
    assert answer(bundle) == expected


def front(path: Path) -> object:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("llamapack.json"))["front"]


def test_commands_keep_and_name_the_kind(bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "m.cmd"
    shutil.copy(bundle, copy)
    succeed("edit", copy, "--args", "-n 4")
    assert front(copy) == front(bundle)
    assert "cmd.exe" in succeed("inspect", copy)
    assert 'windows = "cmd"' in succeed("inspect", "--recipe", copy)
    assert "Windows' cmd.exe" in succeed("ape", copy)
    assert "engines already" in llamapack("upgrade", copy, "--gpu", "none").stderr
    refusal = llamapack("edit", copy, "--remove", STUB)
    assert refusal.returncode == 1
    assert STUB in refusal.stderr
    succeed("split", copy, "--size", "8MB")
    succeed("verify", copy)
    refusal = llamapack("assimilate", copy, "--target", "windows-x86_64", "-o", tmp_path / "m.exe")
    assert "has no program for windows-x86_64" in refusal.stderr
    succeed("assimilate", copy, "--target", "linux-x86_64", "-o", tmp_path / "m")
    assert "windows" not in str(front(tmp_path / "m"))
    assert run([tmp_path / "m", "--version"]).returncode == 0


def test_an_upgrade_changes_the_engines_not_the_kind(bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "m.cmd"
    shutil.copy(bundle, copy)
    succeed("upgrade", copy, "--targets", "linux-x86_64-static,windows-x86_64", "--gpu", "none")
    assert copy.read_bytes().startswith(b"jartsr=' 2>nul\r\n")
    with zipfile.ZipFile(copy) as archive:
        assert STUB in archive.namelist()
    succeed("verify", copy)
    succeed("upgrade", copy, "--targets", "linux-x86_64", "--gpu", "none")
    assert copy.read_bytes().startswith(b"jartsr='\n'\n")
    with zipfile.ZipFile(copy) as archive:
        assert STUB not in archive.namelist()
    succeed("verify", copy)


def test_one_file_above_four_gib(
    cmd: Wine, engines: dict[str, Path], expected: bytes, tmp_path: Path
) -> None:
    """Weights of holes in front, so that the demo's and the directory are beyond 4 GiB."""
    large = shutil.copyfile(DEMO, tmp_path / "large.gguf")
    os.truncate(large, 5 << 30)
    bundle = tmp_path / "big.cmd"
    words = ("--windows", "cmd", "--targets", ",".join(engines), "--args", "-m demo.gguf")
    pack_saying(large, DEMO, *words, output=bundle)
    assert bundle.stat().st_size > 5 << 30
    assert not (tmp_path / "big.exe").exists()
    assert answer(bundle) == expected
    assert says(cmd, bundle, *CLI)[1].rstrip() == expected.rstrip()
    succeed("verify", bundle)
    if shutil.which("bsdtar"):
        # As start.cmd has it, and by name.
        done = run(["sh", "-c", f"bsdtar -xf - {STUB} <big.cmd"], cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, b"")
        assert run(["bsdtar", "-xf", bundle, ENGINE], cwd=tmp_path).returncode == 0
        with zipfile.ZipFile(bundle) as archive:
            for name in (STUB, ENGINE):
                assert (tmp_path / name).read_bytes() == archive.read(name)
    if shutil.which("unzip"):
        assert run(["unzip", "-qqt", bundle]).returncode == 0
