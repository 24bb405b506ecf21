"""The cache: where it is, what is in it, and what others plant there."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_bundle import (
    INTERPRETER,
    Place,
    expect,
    linux_only,
    private_mounts,
    refused,
    write_bundle,
)

pytestmark = linux_only


def test_what_the_cache_holds(place: Place) -> None:
    place.run("sh", place.bundle)
    for folder in (place.cache, place.cache / "engines", place.cache / "stubs"):
        assert folder.stat().st_mode & 0o7777 == 0o700
    assert not list(place.cache.rglob(".*"))
    [engine] = [p for p in (place.cache / "engines").iterdir() if p.is_dir()]
    assert sorted(p.name for p in engine.iterdir()) == ["libx.so", "llamapack-engine"]


def test_cache_variable_is_used_instead_of_all_others(place: Place, glibc: str) -> None:
    mine = place.home / "deep" / "er" / "cache"
    done = place.run("sh", place.bundle, LLAMAPACK_CACHE=str(mine), XDG_CACHE_HOME="/nonexistent")
    expect(done, place.bundle, glibc)
    assert (mine / "engines").is_dir()
    assert not place.cache.exists()


def test_xdg_cache_home(place: Place) -> None:
    assert place.run("sh", place.bundle, XDG_CACHE_HOME=str(place.home / "x")).returncode == 7
    assert (place.home / "x" / "llamapack" / "engines").is_dir()
    assert not place.cache.exists()


@pytest.mark.parametrize("home", [None, "", "/nonexistent/home", "/proc"])
def test_without_a_usable_home(place: Place, glibc: str, home: str | None) -> None:
    temporary = place.home / "tmp"
    temporary.mkdir()
    for _ in "cold", "warm":
        done = place.run("sh", place.bundle, HOME=home, TMPDIR=str(temporary))
        expect(done, place.bundle, glibc)
    assert (temporary / f"llamapack-{os.geteuid()}" / "engines").is_dir()


@pytest.mark.parametrize("options", ["noexec", "ro", "size=200k"])
def test_directories_that_cannot_hold_programs_are_passed_over(
    place: Place, glibc: str, options: str
) -> None:
    done = private_mounts(
        place,
        f"""mount -t tmpfs -o mode=1777 none /var/tmp; mkdir -p "$HOME/.cache"
        mount -t tmpfs -o mode=700,{options} none "$HOME/.cache"
        export TMPDIR=/var/tmp
        sh "$1" >/dev/null || test $? = 7
        ls -A "$HOME/.cache/llamapack/engines" >&2 2>/dev/null || true
        exec sh "$1" """,
    )
    expect(done, place.bundle, glibc)


def test_stub_starts_from_memory_where_no_directory_will_do(place: Place, stub: Path) -> None:
    done = place.run(stub, "x", LLAMAPACK_BUNDLE=str(place.bundle), LLAMAPACK_CACHE="/proc/nothing")
    expect(done, place.bundle, "static", "x")


def test_no_directory_will_do(place: Place) -> None:
    refused(place.run("sh", place.bundle, LLAMAPACK_CACHE="/proc/nothing"), "/proc/nothing")


def test_an_unusable_cache_is_named_with_its_reason(
    place: Place, stub: Path, head: bytes, engines: dict[str, dict[str, bytes]]
) -> None:
    if not INTERPRETER.exists():
        pytest.skip("this machine has no glibc")
    bundle = write_bundle(place.bundle, head, {"linux-x86_64": engines["linux-x86_64"]})
    file = place.home / "file"
    file.touch()
    done = place.run(stub, LLAMAPACK_BUNDLE=str(bundle), LLAMAPACK_CACHE=str(file))
    refused(done, f"`{file}` (it is not a directory)")


def test_many_at_once_on_a_cold_cache(place: Place, glibc: str) -> None:
    runs = [
        subprocess.Popen(
            ["sh", place.bundle, str(n)], env=place.env, stdout=subprocess.PIPE, text=True
        )
        for n in range(64)
    ]
    for n, run in enumerate(runs):
        out, _ = run.communicate(timeout=120)
        assert (run.returncode, out.splitlines()[0], out.splitlines()[-1]) == (
            7, f"engine {glibc}", f"argument {n}",
        )  # fmt: skip
    assert not list(place.cache.rglob(".*"))
    assert len([p for p in (place.cache / "engines").iterdir() if p.is_dir()]) == 1


def test_leftovers_go_when_they_are_old(place: Place) -> None:
    old, new = (place.cache / "engines" / name for name in (".old", ".new"))
    stub = place.cache / "stubs" / ".old"
    for folder in (old, new, stub):
        folder.mkdir(parents=True)
        (folder / "llamapack-engine").write_bytes(b"half")
    place.cache.chmod(0o700)
    for folder in (old, stub):
        os.utime(folder, (time.time() - 7200,) * 2)
    assert place.run("sh", place.bundle).returncode == 7
    assert (old.exists(), new.exists(), stub.exists()) == (False, True, False)


def test_killed_while_it_extracts(
    place: Place, head: bytes, engines: dict[str, dict[str, bytes]], glibc: str
) -> None:
    target = "linux-x86_64" if glibc == "glibc" else "linux-x86_64-static"
    engines[target]["libx.so"] = bytes(64 << 20)
    write_bundle(place.bundle, head, {target: engines[target]})
    run = subprocess.Popen(["sh", place.bundle], env=place.env, stdout=subprocess.DEVNULL)
    deadline = time.time() + 60
    while not list(place.cache.glob("engines/.*/*")) and time.time() < deadline:
        time.sleep(0.001)
    run.kill()
    run.wait()
    assert len(list(place.cache.glob("engines/.*"))) == 1
    assert not list(place.cache.glob("engines/linux*"))
    expect(place.run("sh", place.bundle), place.bundle, glibc)


@pytest.fixture
def shared_cache() -> Iterator[None]:
    """What comes into the next directory in turn, /tmp/llamapack-UID, goes away again."""
    cache = Path(f"/tmp/llamapack-{os.geteuid()}")
    before = {cache, *cache.glob("*"), *cache.glob("*/*")} if cache.exists() else set()
    yield
    if not before:
        shutil.rmtree(cache)
    for path in {*cache.glob("*"), *cache.glob("*/*")} - before:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def plant(cache: Path, owner: int, stub_name: str | None) -> None:
    """A cache as an attacker would prepare it, with a program that says so."""
    cache.mkdir()
    if stub_name:
        (cache / "stubs").mkdir()
        evil = cache / "stubs" / stub_name
        evil.write_text("#!/bin/sh\necho planted\n")
        evil.chmod(0o755)
    for path in (cache, *cache.rglob("*")):
        os.chown(path, owner, owner)
    cache.chmod(0o777)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
@pytest.mark.parametrize("way", ["directory", "link", "empty"])
@pytest.mark.usefixtures("shared_cache")
def test_a_planted_cache_is_not_used(place: Place, glibc: str, way: str) -> None:
    place.run("sh", place.bundle)
    [name] = [p.name for p in (place.cache / "stubs").iterdir()]
    shutil.rmtree(place.cache)
    temporary = place.home / "tmp"
    temporary.mkdir()
    cache = temporary / f"llamapack-{os.geteuid()}"
    planted = temporary / "elsewhere" if way == "link" else cache
    plant(planted, 12345, None if way == "empty" else name)
    if way == "link":
        cache.symlink_to("elsewhere")
        os.chown(cache, 12345, 12345, follow_symlinks=False)
    before = sorted(planted.rglob("*"))
    done = place.run("sh", place.bundle, HOME=None, TMPDIR=str(temporary))
    expect(done, place.bundle, glibc)
    assert sorted(planted.rglob("*")) == before


def test_a_directory_for_all_is_not_used_by_the_stub(place: Place, stub: Path) -> None:
    """As root's /tmp is: to close it would harm others."""
    open_to_all = place.home / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o1777)
    env = {"LLAMAPACK_BUNDLE": str(place.bundle), "LLAMAPACK_CACHE": str(open_to_all)}
    expect(place.run(stub, **env), place.bundle, "static")
    assert list(open_to_all.iterdir()) == []
    assert open_to_all.stat().st_mode & 0o7777 == 0o1777
