"""Every way in which a build with Cosmopolitan's tools can fail says what, and the way out."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cosmo_place import Place
from cosmocc import APE, ARCHIVERS, FILES, PROGRAMS

Failed = Callable[..., tuple[str, str]]

ANDROID = (
    "Zip alignment utility, copyright of the Android project; usage: zipalign [-f] align in out"
)


@pytest.mark.parametrize("name", [*PROGRAMS, *FILES])
def test_a_missing_tool_is_named(name: str, place: Place, failed: Failed, tmp_path: Path) -> None:
    (place.cosmocc.bin / name).unlink()
    (tmp_path / "empty").mkdir()
    error, tip = failed(PATH=str(tmp_path / "empty"))
    assert f"there is no `{name}` here" in error
    if name == "zipalign":
        assert "not in cosmocc's zip" in tip
    else:
        assert "release zip of cosmocc (Cosmopolitan project)" in tip
    assert place.cosmocc.calls == []


def test_the_folder_that_is_named_comes_first(place: Place, failed: Failed, tmp_path: Path) -> None:
    """Then `COSMOCC`, then PATH: an old tool in each tells which one was asked."""
    folders = [tmp_path / name for name in ("third", "second", "first")]
    for folder in folders:
        shutil.copytree(place.cosmocc.bin, folder / "bin")
        text = (folder / "bin" / "apelink").read_text()
        (folder / "bin" / "apelink").write_text(text.replace("apelink v0.1", "no link"))
    third, second, first = folders
    for name in PROGRAMS:
        if name != "zipalign":
            (place.cosmocc.bin / name).unlink()
    path = f"{third}/bin:/usr/bin:/bin"
    named = ["engine", "build", "--toolchain", "cosmo", "--source", place.source]
    assert str(third) in place(*named, PATH=path).stderr
    assert str(second) in place(*named, PATH=path, COSMOCC=str(second)).stderr
    done = place(*named, "--cosmocc", first, PATH=path, COSMOCC=str(second))
    assert str(first) in done.stderr
    (first / "bin" / "apelink").unlink()
    done = place(*named, "--cosmocc", first, PATH=path, COSMOCC=str(second))
    assert str(second) in done.stderr


def test_a_folder_that_is_not_cosmocc(place: Place, failed: Failed) -> None:
    error, tip = failed("--cosmocc", place.source)
    assert f"{place.source} is not a folder of cosmocc: it has no `bin`" in error
    assert "--cosmocc DIR" in tip


def test_a_folder_with_a_space(place: Place, failed: Failed, tmp_path: Path) -> None:
    moved = shutil.copytree(place.cosmocc.folder, tmp_path / "cosmo cc")
    error, _ = failed("--cosmocc", moved)
    assert "do not work in a folder with a space in its name" in error


@pytest.mark.parametrize(
    ("name", "old", "new", "text"),
    [
        ("cosmocc", "14.1.0", "11.2.0", "is too old: it has 11.2.0, and 14.1 is needed"),
        ("aarch64-unknown-cosmo-cc", "14.1.0", "14.2.0", "has GCC 14.2.0, but "),
        ("assimilate", "v1.6", "v1.5", "is too old: it has 1.5, and 1.6 is needed"),
        ("apelink", "apelink v0.1", "no link", "another program: `apelink -v` says: no link"),
        ("zipalign", "zipalign: fatal error: missing output argument", ANDROID, "Android project"),
        ("x86_64-unknown-cosmo-ar", "GNU ar", "BSD ar", "`x86_64-unknown-cosmo-ar --version` says"),
        (
            "cosmoc++",
            "exit 0",
            "exit 5",
            "`cosmoc++ --version` ended with status 5: cosmoc++ (GCC)",
        ),
        ("cosmocc", "#!/bin/sh", "#!/nowhere", "does not run: No such file or directory"),
    ],
)
def test_versions_are_checked(  # noqa: PLR0917
    name: str, old: str, new: str, text: str, place: Place, failed: Failed
) -> None:
    place.cosmocc.answers(name, old, new)
    error, tip = failed()
    assert f"ERROR {place.cosmocc.bin / name}" in error
    assert text in error
    assert "cosmocc" in tip
    assert place.cosmocc.calls == []


def test_sources_that_cannot_be_compiled(place: Place, failed: Failed, tmp_path: Path) -> None:
    error, _ = failed("--source", tmp_path / "nowhere")
    assert f"{tmp_path}/nowhere is not a folder" in error
    (tmp_path / "bare").mkdir()
    error, tip = failed("--source", tmp_path / "bare")
    assert "has no `CMakeLists.txt`" in error
    assert "upstream llama.cpp is known not to compile with cosmocc unless it is patched" in tip
    error, _ = failed(LLAMAPACK_BUILD_CACHE=str(place.source / "cache"))
    assert f"the build cache, {place.source}/cache, is inside {place.source}" in error


def test_sources_without_one_program(place: Place, failed: Failed) -> None:
    error, tip = failed("--program", "large")
    assert "configuring cosmo for x86_64 failed: CMake Error at " in error
    assert "no program large is made, but these: small" in error
    assert "`cmake` ended with status 1" in error
    assert "cosmo.log" in tip
    with (place.source / "CMakeLists.txt").open("a") as file:
        file.write(
            "add_executable(second main.c)\ntarget_link_libraries(second llamapack-bundle)\n"
        )
    error, _ = failed()
    assert "2 programs are made (small, second); name one with --program" in error


def test_a_compiler_error_names_compiler_status_and_last_lines(
    place: Place, failed: Failed
) -> None:
    with (place.source / "main.c").open("a") as file:
        file.write("#error this runtime does not know Cosmopolitan\n")
    error, tip = failed()
    assert re.search(
        r"compiling cosmo for x86_64 failed: .*main\.c:\d+:2: error: this runtime does not know "
        r"Cosmopolitan; `x86_64-unknown-cosmo-cc` ended with status 1: .* 1 error generated\.$",
        error,
    )
    assert "upstream llama.cpp is known not to compile" in tip
    log = place.cache / "logs" / "cosmo.log"
    assert f"The whole output is in `{log}`." in tip
    assert "this runtime does not know Cosmopolitan" in log.read_text()
    assert not [call for call in place.cosmocc.calls if call.startswith("aarch64")]


@pytest.mark.parametrize("name", [ARCHIVERS[1], "apelink", "zipalign", "assimilate"])
def test_a_tool_that_fails(name: str, place: Place, failed: Failed) -> None:
    place.cosmocc.fails(name, "one\ntwo\nthree\nno space left\n")
    error, tip = failed()
    assert f"`{name}` ended with status 3: two | three | no space left" in error
    assert "cosmo.log" in tip


def test_a_result_that_is_not_for_both(place: Place, failed: Failed) -> None:
    place.cosmocc.answers("apelink", "ape_tools.py' apelink", "ape_tools.py' apelink_half")
    error, _ = failed()
    assert "looking for the program for aarch64 failed: `assimilate` ended with status 1" in error
    place.cosmocc.answers("apelink", APE, f'{APE}[ "$*" = -v ] || exit 0\n')
    error, _ = failed()
    assert "`apelink` ended with status 0, but made no APE program" in error


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ["--toolchain", "cosmo"],
            "needs --source DIR, the sources to compile: upstream llama.cpp",
        ),
        (["--source", "x"], "--source is for --toolchain cosmo"),
        (["-D", "A=1"], "--define is for --toolchain cosmo"),
        (["--toolchain", "cosmo", "--source", "x", "-D", "A"], "`A` is not NAME=VALUE"),
        (["--toolchain", "cosmo", "--source", "x", "linux-x86_64"], "do not name a target"),
        (["--toolchain", "cosmo", "--source", "x", "--all"], "do not name a target"),
        (["--toolchain", "gcc"], "invalid choice"),
    ],
)
def test_wrong_usage(words: list[str], text: str, place: Place) -> None:
    done = place("engine", "build", *words)
    assert done.returncode == 2
    assert text in done.stderr
