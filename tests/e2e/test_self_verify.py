"""`./m.llamafile --verify`: the file compares itself with its manifest."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
from helpers.damage import bit_flipped
from helpers.repository import DEMO
from helpers.running import run

from runtime.formats.bundle import Bundle


@pytest.fixture
def copy(linux_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copyfile(linux_bundle, tmp_path / "copy.llamafile"))


def test_a_whole_file(copy: Path) -> None:
    done = run(["sh", copy, "--verify"])
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(copy) as archive:
        sizes = [one.file_size for one in archive.infolist() if not one.is_dir()]
    assert f"all {len(sizes)} members ({sum(sizes)} bytes)" in done.stdout.decode()
    assert done.stderr == b""


@pytest.mark.parametrize(
    "member", [DEMO.name, ".args", "llamapack.json", "engines/linux-x86_64-static"]
)
def test_a_flipped_bit_is_named_by_member(copy: Path, member: str) -> None:
    with Bundle.open(copy) as bundle:
        [name, *_] = [name for name in bundle.members if name.startswith(member)]
        found = bundle.members[name]
        bit_flipped(copy, bundle.data_offset(found) + found.compressed_size // 2)
    done = run(["sh", copy, "--verify"])
    assert done.returncode == 1
    error, tip = done.stderr.decode().splitlines()
    if name == "llamapack.json":  # without which no other member can be compared
        assert error.startswith(f"ERROR {name}: damaged: ")
    else:
        [line] = done.stdout.decode().splitlines()
        assert line.startswith(f"{name}: damaged: ")
        assert error.startswith(f"ERROR {copy}: 1 of its parts")
    assert tip == "TIP fetch the file again"


def test_members_that_came_and_went(copy: Path) -> None:
    with zipfile.ZipFile(copy, "a") as archive:
        archive.writestr("later.txt", "x")
    done = run(["sh", copy, "--verify"])
    assert done.returncode == 1
    assert b"later.txt: unlisted: " in done.stdout


def test_the_head_is_covered(copy: Path) -> None:
    head = copy.read_bytes()[:65536]
    bit_flipped(copy, head.index(b"the programs of"))  # a message of the script
    done = run(["sh", copy, "--verify"])
    assert done.returncode == 1
    assert done.stdout.startswith(b"head and start stubs: damaged")


def test_weights_are_no_bundle(linux_bundle: Path, engines: dict[str, Path]) -> None:
    done = run([engines["linux-x86_64-static"] / "llamapack-engine", "--verify", "-m", DEMO])
    assert done.returncode == 1
    assert done.stderr.startswith(b"ERROR there is no bundle to verify\nTIP ")
