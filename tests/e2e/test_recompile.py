"""`--recompile`: the produced file compiles a GPU module itself, with the compiler that is there.

All of ggml's CUDA backend takes an hour on two cores; here the recipe names two small sources,
which nvcc compiles and links as it would the others, against ggml's own headers.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.repository import DEMO
from helpers.running import append_members, llamapack, pack, run

from packer.engines import toolchain

SOURCE = Path(__file__).with_name("small_backend.cu")
NAME = "ggml/src/ggml-cuda/small.cu"
OTHER = "ggml/src/ggml-cuda/other.cpp"
OTHER_SOURCE = """\
#ifndef IN_CPP
#error "without the flags of .cpp"
#endif
int other() { return 1; }
"""
ASKED = ["--gpu", "cuda", "--list-devices"]


@pytest.fixture(scope="module")
def nvcc() -> Path:
    found = shutil.which("nvcc")
    if found is None:
        pytest.skip("no nvcc here: nothing to compile with (`sh ci/nvcc` prints where it puts one)")
    return Path(found)


@pytest.fixture(scope="module")
def whole(engines: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("recompile") / "whole.llamafile"
    return pack(DEMO, "--targets", "linux-x86_64", "--gpu-sources", "yes", output=output)


@pytest.fixture
def small(whole: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A bundle whose recipe for CUDA names this text and another source."""

    def made(source: str) -> Path:
        path = Path(shutil.copy(whole, tmp_path / "small.llamafile"))
        with zipfile.ZipFile(path) as archive:
            recipe = json.loads(archive.read("gpu-sources/linux/cuda.json"))
        recipe["sources"] = [NAME, OTHER]
        recipe["flags_of"] = {".cpp": ["-DIN_CPP"]}
        recipe["link"].remove("-lcublas")
        recipe["link"].remove("-lcuda")
        texts = {NAME: source, OTHER: OTHER_SOURCE}
        members = {f"gpu-sources/src/{name}": text for name, text in texts.items()}
        return append_members(path, {"gpu-sources/linux/cuda.json": json.dumps(recipe), **members})

    return made


@pytest.fixture
def machine(tmp_path: Path, nvcc: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, NVIDIA's driver as an empty library, a card named by hand, and an nvcc that
    counts; returns the file that it counts in."""
    cache, libraries, programs = (tmp_path / name for name in ("cache", "lib", "bin"))
    for folder in (cache, libraries, programs):
        folder.mkdir(mode=0o700)
    (libraries / "nothing.c").write_text("int nothing;\n")
    words = [toolchain._zig(), "cc", "-target", "x86_64-linux-gnu.2.17", "-O1", "-shared"]
    subprocess.run([*words, "nothing.c", "-o", "libcuda.so.1"], cwd=libraries, check=True)
    counted = tmp_path / "counted"
    counting = programs / "nvcc"
    counting.write_text(f'#!/bin/sh\necho "$*" >> "{counted}"\nexec "{nvcc}" "$@"\n')
    counting.chmod(0o755)
    monkeypatch.setenv("LLAMAPACK_CACHE", str(cache))
    monkeypatch.setenv("LD_LIBRARY_PATH", str(libraries))
    monkeypatch.setenv("LLAMAPACK_GPU_ARCHITECTURE", "sm_90")
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    return counted


def compilations(counted: Path) -> int:
    return sum("-c " in line for line in counted.read_text().splitlines())


def test_a_module_is_compiled_once_and_used_from_then_on(
    small: Callable[[str], Path], machine: Path
) -> None:
    bundle = small(SOURCE.read_text())
    done = run(["sh", bundle, *ASKED, "--recompile"])
    assert done.returncode == 0, done.stderr.decode()
    assert b"compiling libggml-cuda.so for sm_90: 0 of 2" in done.stderr
    assert b"Small0: a device for tests" in done.stdout
    assert compilations(machine) == 2
    for words in (ASKED, [*ASKED, "--recompile"]):
        again = run(["sh", bundle, *words])
        assert b"Small0: a device for tests" in again.stdout
        assert b"compiling" not in again.stderr
    assert compilations(machine) == 2
    assert "a start tries CUDA (compiled here)" in llamapack("doctor", "--gpu", bundle).stdout


def test_another_card_or_source_is_compiled_anew(
    small: Callable[[str], Path], machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = SOURCE.read_text()
    bundle = small(text)
    assert run(["sh", bundle, *ASKED, "--recompile"]).returncode == 0
    monkeypatch.setenv("LLAMAPACK_GPU_ARCHITECTURE", "sm_80")
    assert run(["sh", bundle, *ASKED, "--recompile"]).returncode == 0
    assert compilations(machine) == 4
    assert "-arch=sm_80" in machine.read_text()


def test_what_does_not_compile_is_reported_and_leaves_the_old_one(
    small: Callable[[str], Path], machine: Path, tmp_path: Path
) -> None:
    broken = small(SOURCE.read_text() + "int x = undeclared_thing;\n")
    done = run(["sh", broken, "--list-devices", "--recompile"])
    assert done.returncode == 0
    note = next(ln for ln in done.stderr.decode().splitlines() if ln.startswith("NOTE --recompile"))
    assert "nvcc failed: " in note
    assert 'identifier "undeclared_thing" is undefined' in note
    assert "stays in use" in note
    (log,) = (tmp_path / "cache" / "gpu").glob("*.log")
    assert f"everything the compiler printed is in {log}" in done.stderr.decode()
    assert 'identifier "undeclared_thing" is undefined' in log.read_text()
    assert [path.name for path in (tmp_path / "cache" / "gpu").iterdir()] == [log.name]


def test_a_module_that_crashes_is_not_taken(
    small: Callable[[str], Path], machine: Path, tmp_path: Path
) -> None:
    crashing = "#include <cstdlib>\nstatic int gone = (abort(), 1);\n"
    bundle = small(crashing + SOURCE.read_text())
    done = run(["sh", bundle, *ASKED, "--recompile"])
    assert b"the new module cannot be used: it crashed (signal 6)" in done.stderr
    assert done.returncode == 1  # --gpu cuda cannot be met
    assert not list((tmp_path / "cache" / "gpu").glob("*.recompiled"))


def test_nocompile_forbids_it(small: Callable[[str], Path], machine: Path) -> None:
    done = run(["sh", small(SOURCE.read_text()), "--recompile", "--nocompile", "--list-devices"])
    assert done.returncode == 0
    assert b"compiling" not in done.stderr
    assert not machine.exists()


def test_without_compiler_card_or_sources(
    whole: Path, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def note(bundle: Path) -> str:
        done = run(["sh", bundle, "--list-devices", "--recompile"])
        assert done.returncode == 0
        return done.stderr.decode()

    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert "hipcc is not installed" in note(whole)
    monkeypatch.setenv("PATH", str(machine.parent / "bin"), prepend=":")
    monkeypatch.delenv("LLAMAPACK_GPU_ARCHITECTURE")
    assert "there is no card to compile for" in note(whole)


def test_the_recipes_name_what_is_there(whole: Path) -> None:
    with zipfile.ZipFile(whole) as archive:
        names = set(archive.namelist())
        assert not any("/ggml-metal/" in name or "/windows/" in name for name in names)
        for kind in ("cuda", "hip"):
            recipe = json.loads(archive.read(f"gpu-sources/linux/{kind}.json"))
            assert len(recipe["sources"]) > 100
            assert {f"gpu-sources/src/{name}" for name in recipe["sources"]} <= names
        sizes = [i.compress_size for i in archive.infolist() if "gpu-sources" in i.filename]
        assert sum(sizes) < 1e6


def test_a_cache_that_cannot_be_written_is_reported(
    small: Callable[[str], Path], machine: Path, tmp_path: Path
) -> None:
    bundle = small(SOURCE.read_text())
    (tmp_path / "cache" / "gpu").write_text("a file in the folder's place\n")
    done = run(["sh", bundle, "--list-devices", "--recompile"])
    assert done.returncode == 0, done.stderr.decode()
    note, tip = done.stderr.decode().splitlines()[:2]
    assert note.startswith("NOTE --recompile: ")
    assert note.endswith("What there was stays in use")
    assert tip == "TIP set LLAMAPACK_CACHE to a folder that can be written and has space"
    assert compilations(machine) == 0


def test_what_was_interrupted_long_ago_is_removed(
    small: Callable[[str], Path], machine: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache" / "gpu"
    old, young = cache / ".linux-x86_64-cuda-old.1", cache / ".linux-x86_64-cuda-young.2"
    for folder in (old, young):
        (folder / "work" / "src").mkdir(parents=True)
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    done = run(["sh", small(SOURCE.read_text()), *ASKED, "--recompile"])
    assert done.returncode == 0, done.stderr.decode()
    assert not old.exists()
    assert young.exists()
