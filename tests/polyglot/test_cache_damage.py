"""Whatever has happened to a file of the cache, the next start works and puts it right."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.damage import DAMAGES, damaged, flipped
from small_bundle import INTERPRETER, Place, expect, linux_only, needs, refused, write_bundle

pytestmark = linux_only

DEMO = Path(__file__).parents[2] / "packer" / "demo_model" / "demo.gguf"

Start = Callable[..., "subprocess.CompletedProcess[str]"]


def state(path: Path) -> tuple[int, int, bytes]:
    info = path.lstat()
    return info.st_mode, info.st_uid, path.read_bytes()


def healed(start: Start, place: Place, path: Path, damage: str) -> None:
    """The start works before, directly after the damage, and then again without writing."""
    before = state(path)
    damaged(damage, path, place.home)
    assert start().returncode == 7
    assert state(path) == before
    assert not list(place.cache.rglob(".*")), "nothing is left behind"
    written = {p: p.lstat().st_ctime_ns for p in place.cache.rglob("*")}
    assert start().returncode == 7
    assert {p: p.lstat().st_ctime_ns for p in place.cache.rglob("*")} == written
    if damage == "link to a directory":
        assert (place.home / "theirs" / "file").exists(), "what a link leads to stays"


def add_weights(bundle: Path) -> None:
    """The launcher wants to know what it starts."""
    with zipfile.ZipFile(bundle, "a") as archive:
        archive.write(DEMO, "demo.gguf")


@pytest.fixture(params=["sh", "native", "launcher"])
def start(
    request: pytest.FixtureRequest,
    place: Place,
    stubs: dict[str, bytes],
    engines: dict[str, dict[str, bytes]],
) -> Start:
    if request.param == "native":
        write_bundle(place.bundle, stubs["linux-x86_64"], engines)
    if request.param == "launcher":
        add_weights(place.bundle)

    def run(**env: str) -> subprocess.CompletedProcess[str]:
        first: tuple[str, ...] = {
            "sh": ("sh",),
            "native": (),
            "launcher": (sys.executable, "-m", "packer", "run"),
        }[request.param]
        env = {"PYTHONPATH": str(Path(__file__).parents[2]), **env}
        return place.run(*first, place.bundle, **env)

    return run


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["llamapack-engine", "libx.so"])
def test_damaged_engines(place: Place, start: Start, name: str, damage: str) -> None:
    assert start().returncode == 7
    [file] = place.cache.rglob(name)
    healed(start, place, file, damage)


@pytest.mark.parametrize("way", ["link", "file", "no rights"])
def test_a_damaged_folder(place: Place, start: Start, way: str) -> None:
    start()
    [file] = place.cache.rglob("libx.so")
    folder = file.parent
    if way == "no rights":
        folder.chmod(0)
    else:
        folder.rename(place.home / "aside")
        if way == "link":
            folder.symlink_to(place.home / "aside")
        else:
            folder.touch()
    assert start().returncode == 7
    assert [p.name for p in folder.parent.iterdir() if p.is_dir() and not p.is_symlink()] == [
        folder.name
    ]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert way == "no rights" or (place.home / "aside" / "libx.so").exists() or way == "file"


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_notes(place: Place, start: Start, damage: str) -> None:
    """Of what was checked: any other is written anew."""
    start()
    [note] = place.cache.rglob("*.checked")
    damaged(damage, note, place.home)
    assert start().returncode == 7
    assert note.is_file()
    assert not note.is_symlink() or damage == "link"
    written = {p: p.lstat().st_ctime_ns for p in place.cache.rglob("*")}
    assert start().returncode == 7
    assert {p: p.lstat().st_ctime_ns for p in place.cache.rglob("*")} == written


@pytest.mark.parametrize("way", ["file", "fifo", "dangling link"])
@pytest.mark.parametrize("name", ["engines", "stubs"])
def test_what_has_taken_the_name_of_a_folder_steps_aside(
    place: Place, start: Start, name: str, way: str
) -> None:
    start()
    folder = place.cache / name
    if not folder.exists():
        return  # only the script makes stubs
    shutil.rmtree(folder)
    folder.write_text("somebody's")
    if way != "file":
        damaged(way, folder, place.home)
    done = start()
    assert done.returncode == 7, done.stderr
    assert folder.stat().st_mode & 0o777 == 0o700
    [aside] = place.cache.glob(f"{name}.*")
    assert way != "file" or aside.read_text() == "somebody's"
    assert start().returncode == 7
    assert list(place.cache.glob(f"{name}.*")) == [aside]


@pytest.mark.parametrize("name", ["", "engines", "stubs"])
def test_folders_that_others_may_write_into_are_closed(
    place: Place, start: Start, name: str
) -> None:
    start()
    folder = place.cache / name
    if not folder.exists():
        return  # only the script makes stubs
    folder.chmod(0o777)
    done = start()
    assert (done.returncode, "ERROR" in done.stderr) == (7, False)
    assert folder.stat().st_mode & 0o777 == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files immutable")
def test_a_stub_that_cannot_be_replaced(place: Place) -> None:
    needs("chattr")
    place.run("sh", place.bundle)
    [stub] = (place.cache / "stubs").iterdir()
    os.truncate(stub, 0)
    if subprocess.run(["chattr", "+i", stub], check=False, capture_output=True).returncode:
        pytest.skip("this file system has no immutable files")
    try:
        refused(place.run("sh", place.bundle, LLAMAPACK_CACHE=str(place.cache)), str(place.cache))
    finally:
        subprocess.run(["chattr", "-i", stub], check=True)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_stubs(place: Place, damage: str, glibc: str) -> None:
    def start() -> subprocess.CompletedProcess[str]:
        return place.run("sh", place.bundle)

    expect(start(), place.bundle, glibc)
    [stub] = (place.cache / "stubs").iterdir()
    if damage == "others may write":
        stub.chmod(0o777)  # its sum is right: it is started all the same
        assert start().returncode == 7
        return
    healed(start, place, stub, damage)


@pytest.mark.parametrize("shell", ["bash", "dash", "zsh", "busybox sh", "ksh93", "mksh", "yash"])
@pytest.mark.parametrize("damage", ["empty", "directory", "flipped", "fifo"])
def test_every_shell_puts_the_stub_right(place: Place, shell: str, damage: str, glibc: str) -> None:
    words = shell.split()
    if not shutil.which(words[0]):
        pytest.skip(f"this machine has no {shell}")
    place.run(*words, place.bundle)
    [stub] = (place.cache / "stubs").iterdir()
    before = state(stub)
    damaged(damage, stub, place.home)
    expect(place.run(*words, place.bundle), place.bundle, glibc)
    assert state(stub) == before


@pytest.mark.parametrize("missing", [["cksum"], ["cksum", "wc"]])
def test_a_host_without_cksum_compares_sizes(place: Place, missing: list[str], glibc: str) -> None:
    tools = place.home / "bin"
    tools.mkdir()
    for name in ("sh", "uname", "dd", "id", "ls", "wc", "mkdir", "rm", "mv", "chmod"):
        if name not in missing:
            (tools / name).symlink_to(str(shutil.which(name)))
    path = str(tools)
    first = place.run("sh", place.bundle, PATH=path)
    if "wc" in missing:
        assert first.stderr.startswith("ERROR ")
        return
    expect(first, place.bundle, glibc)
    [stub] = (place.cache / "stubs").iterdir()
    os.truncate(stub, 100)
    expect(place.run("sh", place.bundle, PATH=path), place.bundle, glibc)
    assert stub.stat().st_size > 100
    size = stub.stat().st_size
    with stub.open("ab") as file:
        file.truncate(100_000 + size)  # the same last digits
    expect(place.run("sh", place.bundle, PATH=path), place.bundle, glibc)
    assert stub.stat().st_size == size


def test_cksum_runs_only_after_a_change(place: Place, glibc: str) -> None:
    """A process would take longer than the rest of the script."""
    folder, calls = place.home / "bin", place.home / "calls"
    folder.mkdir()
    (folder / "cksum").write_text(f"#!/bin/sh\necho >>'{calls}'\nexec {shutil.which('cksum')}\n")
    (folder / "cksum").chmod(0o755)
    path = f"{folder}:{place.env['PATH']}"

    def count() -> int:
        calls.write_text("")
        expect(place.run("sh", place.bundle, PATH=path), place.bundle, glibc)
        return len(calls.read_text())

    assert count() > 0
    assert count() == 0
    [stub] = (place.cache / "stubs").iterdir()
    stub.touch()
    time.sleep(0.05)  # within one tick of the clock nothing is newer
    assert count() == 1
    assert count() == 0
    [note] = place.cache.glob("*.ok")
    note.unlink()
    note.mkdir()
    os.utime(note, (0, 0))
    assert count() == 1
    flipped(stub)
    assert count() > 0
    assert count() == 0


def test_a_restored_backup_is_compared_once(place: Place, start: Start) -> None:
    """All times of change are others, and contents the same."""
    start()
    shutil.copytree(place.cache, place.home / "backup")
    shutil.rmtree(place.cache)
    shutil.copytree(place.home / "backup", place.cache)
    [library] = place.cache.rglob("libx.so")
    before = library.stat().st_ino
    assert start().returncode == 7
    assert library.stat().st_ino == before, "it was not unpacked again"
    written = {p: p.stat().st_ctime_ns for p in place.cache.rglob("*")}
    assert start().returncode == 7
    assert {p: p.stat().st_ctime_ns for p in place.cache.rglob("*")} == written


def test_damage_that_no_time_shows(place: Place, start: Start) -> None:
    """As on a disk that has lost a block: nothing shows it but the failure."""
    start()
    [engine] = place.cache.rglob("llamapack-engine")
    before = engine.read_bytes()
    engine.write_bytes(bytes(len(before)))
    [note] = place.cache.rglob("*.checked")
    note.write_text(_state_of(engine.parent))
    done = start()
    if done.returncode != 7:  # the launcher, whose next start puts it right
        lines = failed(done, "Exec format error")
        assert "Start it again" in lines[1]
        assert start().returncode == 7
    assert engine.read_bytes() == before


def _state_of(folder: Path) -> str:
    hashed = hashlib.sha256()
    for name in sorted(path.name for path in folder.iterdir()):
        hashed.update(b"%d\n" % (folder / name).stat().st_ctime_ns)
    return hashed.hexdigest()


needs_glibc = pytest.mark.skipif(not INTERPRETER.exists(), reason="only its engine has verdicts")


@pytest.fixture
def one_engine(
    place: Place,
    head: bytes,
    stubs: dict[str, bytes],
    engines: dict[str, dict[str, bytes]],
    start: Start,
) -> Start:
    """The engine with a loader alone, so that nothing takes its place."""
    native = place.bundle.read_bytes()[:4] == b"\x7fELF"
    only = {"linux-x86_64": engines["linux-x86_64"]}
    with zipfile.ZipFile(place.bundle) as archive:
        weights = "demo.gguf" in archive.namelist()
    write_bundle(place.bundle, stubs["linux-x86_64"] if native else head, only)
    if weights:
        add_weights(place.bundle)
    return start


def markers(place: Place) -> list[Path]:
    return list(place.cache.glob("engines/*.fails-*"))


def failed(done: subprocess.CompletedProcess[str], why: str) -> list[str]:
    lines = [line for line in done.stderr.splitlines() if not line.startswith("memory:")]
    assert done.returncode == 1
    assert [line.split()[0] for line in lines] == ["ERROR", "TIP"]
    assert why in lines[0]
    return lines


@needs_glibc
@pytest.mark.parametrize(
    "env",
    [
        {"STAND_IN_PROBE": "killed"},
        {"STAND_IN_PROBE": "fails", "LD_LIBRARY_PATH": "/nonexistent"},
        {"STAND_IN_PROBE": "fails", "LD_PRELOAD": ""},
        {"STAND_IN_PROBE": "fails", "DYLD_LIBRARY_PATH": "/nonexistent"},
    ],
)
def test_what_may_pass_is_not_remembered(
    place: Place, one_engine: Start, env: dict[str, str]
) -> None:
    failed(one_engine(**env), "on a trial")
    assert not markers(place)
    assert one_engine().returncode == 7


@needs_glibc
def test_a_trial_has_an_end(place: Place, one_engine: Start) -> None:
    failed(one_engine(STAND_IN_PROBE="hangs"), "it did not end on a trial")
    assert not markers(place)
    assert one_engine().returncode == 7


@needs_glibc
def test_a_verdict_ends(place: Place, one_engine: Start) -> None:
    failed(one_engine(STAND_IN_PROBE="fails"), "on a trial")
    [marker] = markers(place)
    tip = failed(one_engine(), "linux-x86_64")[1]
    command = next(word for word in tip.split("`") if word.startswith("rm "))
    assert str(marker) in command
    yesterday = marker.stat().st_mtime - 25 * 3600
    os.utime(marker, (yesterday, yesterday))
    failed(one_engine(STAND_IN_PROBE="fails"), "on a trial")
    assert marker.stat().st_mtime > yesterday + 24 * 3600
    failed(one_engine(), "linux-x86_64")
    subprocess.run(["sh", "-c", command], check=True)
    assert one_engine().returncode == 7
    assert not markers(place)
    os.utime(place.bundle)
    marker.touch()
    assert one_engine().returncode == 7, "it has worked since"


def test_callers_that_ignore_their_children(place: Place, glibc: str) -> None:
    code = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
        "os.execvp(sys.argv[1], sys.argv[1:])"
    )
    done = place.run(sys.executable, "-c", code, "sh", place.bundle)
    expect(done, place.bundle, glibc)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")


@needs_root
@pytest.mark.parametrize("variable", ["HOME", "XDG_CACHE_HOME"])
@pytest.mark.parametrize("has", ["nothing", ".cache", "llamapack of root's"])
def test_root_leaves_nothing_in_the_home_of_another(
    place: Place, start: Start, has: str, variable: str
) -> None:
    temporary, home = place.home.parent / "tmp", place.home.parent / "theirs"
    temporary.mkdir()
    home.mkdir()
    cache = home / ".cache" if variable == "HOME" else home
    if has != "nothing":
        cache.mkdir(exist_ok=True)
    for path in (home, cache):
        if path.exists():
            os.chown(path, 12345, 12345)
    if has == "llamapack of root's":
        (cache / "llamapack").mkdir(mode=0o700)
    before = {path: path.stat().st_uid for path in home.rglob("*")}
    env = {"HOME": "/nonexistent", "TMPDIR": str(temporary), variable: str(home)}
    first, second = start(**env), start(**env)
    assert (first.returncode, second.returncode) == (7, 7), first.stderr + second.stderr
    assert "NOTE" not in second.stderr
    assert {path: path.stat().st_uid for path in home.rglob("*")} == before
    assert list(temporary.glob("llamapack-0/engines/*/llamapack-engine"))
