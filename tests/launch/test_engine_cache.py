"""Unpacking into the cache: damage, other users, engines that do not start."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

import pytest

from runtime.errors import InputError
from runtime.formats.bundle import Bundle
from runtime.launch import archives
from runtime.launch.engine_cache import CachedEngine, find, unpack
from runtime.machine.machine import Machine

STARTS = b"#!/bin/sh\nexit 0\n"
FAILS = b"#!/bin/sh\nexit 3\n"


def archive(path: Path, engines: dict[str, bytes], *, sums: bytes = b"") -> Path:
    """A ZIP with engines of one file each."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for target, program in engines.items():
            line = f"{hashlib.sha256(program).hexdigest()}  llamapack-engine\n".encode()
            file.writestr(f"engines/{target}/llamapack-engine", program)
            file.writestr(f"engines/{target}/SHA256SUMS", sums or line)
    return path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    this = Machine.this()
    return Machine(this.system, this.arch, {"LLAMAPACK_CACHE": str(tmp_path / "cache")}, this.user)


def unpacked(path: Path, machine: Machine) -> CachedEngine:
    with Bundle.open(path) as bundle:
        return unpack(bundle, machine)


def left(machine: Machine) -> list[str]:
    """What an attempt has left behind, but for verdicts."""
    folder = Path(machine.env["LLAMAPACK_CACHE"], "engines")
    return [path.name for path in folder.iterdir() if path.is_dir()]


def test_it_is_there_whole_and_private(tmp_path: Path, machine: Machine) -> None:
    path = archive(tmp_path / "e.zip", {machine.target: STARTS})
    with Bundle.open(path) as bundle:
        planned = find(bundle, machine)
        assert planned
        assert not planned.unpacked
        assert not planned.folder.exists()
    before = os.umask(0o002)
    try:
        done = unpacked(path, machine)
    finally:
        os.umask(before)
    assert done.unpacked
    assert done.folder == planned.folder
    assert done.program.read_bytes() == STARTS
    assert done.folder.stat().st_mode & 0o777 == 0o700
    changed = done.program.stat().st_ctime_ns
    assert unpacked(path, machine).program.stat().st_ctime_ns == changed


@pytest.mark.parametrize("damage", [b"#", STARTS.replace(b"exit 0", b"exit 1")])
def test_what_was_damaged_is_made_again(damage: bytes, tmp_path: Path, machine: Machine) -> None:
    path = archive(tmp_path / "e.zip", {machine.target: STARTS})
    done = unpacked(path, machine)
    done.program.write_bytes(damage)
    assert unpacked(path, machine).program.read_bytes() == STARTS
    assert left(machine) == [done.folder.name]


@pytest.mark.parametrize(
    "sums",
    [
        b"0" * 64 + b"  llamapack-engine\n",
        b"0" * 64 + b"  missing\n",
        b"0" * 64 + b"  ..\n",
        b"0" * 64 + b"  a\\b\n",
        b"\n",
    ],
)
def test_damage_is_refused(sums: bytes, tmp_path: Path, machine: Machine) -> None:
    path = archive(tmp_path / "e.zip", {machine.target: STARTS}, sums=sums)
    with pytest.raises(InputError, match="is damaged"):
        unpacked(path, machine)
    folder = Path(machine.env["LLAMAPACK_CACHE"], "engines")
    assert not folder.exists() or not left(machine)


def test_an_engine_that_does_not_start_gives_way(tmp_path: Path, machine: Machine) -> None:
    both = {machine.target: FAILS, f"{machine.target}-static": STARTS}
    path = archive(tmp_path / "e.zip", both)
    for _ in range(2):  # the second time by the verdict
        assert unpacked(path, machine).engine.target == f"{machine.target}-static"
    (fails,) = Path(machine.env["LLAMAPACK_CACHE"], "engines").glob("*.fails-*")
    works = fails.with_name(fails.name.replace(".fails-", ".works-"))
    works.touch()  # as another start would, to which it counts more
    with Bundle.open(path) as bundle:
        found = find(bundle, machine)
    assert found
    assert found.engine.target == machine.target
    works.unlink()
    only = archive(tmp_path / "o.zip", {machine.target: FAILS})
    with pytest.raises(InputError, match=r"no engine of .* starts here"):
        unpacked(only, machine)


def test_a_cache_that_others_may_write_to_is_closed(tmp_path: Path, machine: Machine) -> None:
    path = archive(tmp_path / "e.zip", {machine.target: STARTS})
    cache = Path(machine.env["LLAMAPACK_CACHE"])
    cache.mkdir()
    cache.chmod(0o777)
    unpacked(path, machine)
    assert not cache.stat().st_mode & 0o022


def test_a_folder_that_is_meant_for_all_is_not_used(tmp_path: Path, machine: Machine) -> None:
    path = archive(tmp_path / "e.zip", {machine.target: STARTS})
    cache = Path(machine.env["LLAMAPACK_CACHE"])
    cache.mkdir()
    cache.chmod(0o1777)
    with pytest.raises(InputError, match="other users may write into it"):
        unpacked(path, machine)
    assert not list(cache.iterdir())


def test_the_newest_archive_for_this_machine_is_taken(tmp_path: Path, machine: Machine) -> None:
    folder = Path(machine.env["LLAMAPACK_CACHE"], archives.FOLDER)
    folder.mkdir(parents=True)
    assert archives.newest(machine) is None
    for number, (name, target) in enumerate(
        [("old", machine.target), ("new", machine.target), ("other", "openbsd-aarch64")]
    ):
        path = archive(folder / f"{name}.zip", {target: STARTS})
        os.utime(path, (number, number))
    (folder / "broken.zip").write_bytes(b"PK")
    assert archives.newest(machine) == folder / "new.zip"
