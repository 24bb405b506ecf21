"""Whether a CPU module counts, on machines with and without AMX, which are made up here."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from packer.engines import native, toolchain

HERE = Path(__file__).parent
NO_TILES = "the operating system does not give this process the tile registers of AMX"
NO_INSTRUCTIONS = "the processor lacks instructions that it is compiled for"
NO_REGISTERS = "the operating system keeps registers back that it needs"


def build(folder: Path, target: str, *definitions: str) -> Path:
    """The program that tries the score of a module with these features."""
    (folder / "ggml-backend.h").write_text("#define GGML_BACKEND_API extern\n")
    program = folder / "try.exe"
    hooks = native.directory() / "engine" / "hooks"
    arguments = [
        "-target", target, "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{folder}",
        f"-I{hooks}", *definitions, str(HERE / "cpu_score_try.c"), "-o", str(program),
    ]  # fmt: skip
    subprocess.run([toolchain._zig(), "cc", *arguments], check=True)
    return program


def score(*command: str | Path, **env: str) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        env=os.environ | env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=True, timeout=120,
    )  # fmt: skip
    return done.stdout.strip()


def test_linux(tmp_path: Path) -> None:
    amx = build(tmp_path, "x86_64-linux-musl", "-DGGML_AMX_INT8")
    assert score(amx, "4000", "grant") == "4000"
    assert score(amx, "4000", "refuse") == f"0 {NO_TILES}"
    assert score(amx, "0", "grant") == f"0 {NO_INSTRUCTIONS}"


def test_other_systems_do_not_say_how(tmp_path: Path) -> None:
    amx = build(tmp_path, "x86_64-linux-musl", "-DGGML_AMX_INT8", "-U__linux__")
    assert score(amx, "4000", "grant") == f"0 {NO_TILES}"


@pytest.mark.parametrize(
    ("definition", "flag"), [("-DGGML_AVX", "avx"), ("-DGGML_AVX512", "avx512f"), ("-DX", "")]
)
def test_registers_that_the_system_saves(tmp_path: Path, definition: str, flag: str) -> None:
    program = build(tmp_path, "x86_64-linux-musl", definition)
    has = not flag or flag in Path("/proc/cpuinfo").read_text().split()
    assert score(program, "7", "refuse") == ("7" if has else f"0 {NO_REGISTERS}")


@pytest.mark.skipif(not shutil.which("wine"), reason="no wine here: Windows' answer was NOT tried")
def test_windows(tmp_path: Path) -> None:
    amx = build(tmp_path, "x86_64-windows-gnu", "-DGGML_AMX_INT8")
    wine = ("wine", amx)
    env = {"WINEPREFIX": str(tmp_path / "prefix"), "WINEDEBUG": "-all", "DISPLAY": ""}
    try:
        assert score(*wine, "4000", "grant", **env) == "4000"
        assert score(*wine, "4000", "refuse", **env) == f"0 {NO_TILES}"
        assert score(*wine, "4000", "absent", **env) == f"0 {NO_TILES}"
        assert score(*wine, "0", "grant", **env) == f"0 {NO_INSTRUCTIONS}"
        # What this Wine itself says; the processors here are not known to have tiles.
        assert score(*wine, "4000", "real", **env) in ("4000", f"0 {NO_TILES}")
    finally:
        subprocess.run(["wineserver", "-k"], env=os.environ | env, check=False, timeout=60)
