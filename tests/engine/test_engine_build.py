from __future__ import annotations

import hashlib
import json
import multiprocessing
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from packer.cli import main
from packer.engines import cache, toolchain
from packer.engines.build import build
from packer.engines.targets import TARGETS, named
from runtime.errors import InputError

LINUX = TARGETS["linux-x86_64"]
pytestmark = pytest.mark.usefixtures("small_tools")


def test_a_finished_engine_is_found_with_its_list_and_facts(cache_root: Path) -> None:
    assert cache.find("linux-x86_64") is None
    place = build(LINUX)
    assert cache.find("linux-x86_64") == place
    assert cache.built() == {"linux-x86_64": place}

    listing = (place / "SHA256SUMS").read_bytes()
    names = [line.split("  ")[1] for line in listing.decode().splitlines()]
    assert names == ["libggml-base.so", "libggml-cpu.so", "llamapack-engine"]
    facts = json.loads((place / "engine.json").read_text())
    assert facts["id"] == hashlib.sha256(listing).hexdigest()
    assert place.name == f"linux-x86_64-{facts['key'][:16]}"
    assert set(facts["built_with"]) == {"zig", "cmake", "ninja"}
    assert (place / "llamapack-engine").stat().st_mode & 0o777 == 0o755
    assert (place / "libggml-base.so").stat().st_mode & 0o777 == 0o644
    assert len(list((cache_root / "build" / "linux-x86_64").iterdir())) == 1


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="there is no sha256sum")
def test_sha256sum_accepts_the_list() -> None:
    place = build(LINUX)
    subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=place, check=True)


def test_a_second_build_takes_the_first_ones_result(tmp_path: Path) -> None:
    assert build(LINUX) == build(LINUX)
    assert (tmp_path / "configured").read_text() == "x"


def test_two_builders_at_once_build_once(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    builders = [fork.Process(target=build, args=(LINUX,)) for _ in range(3)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join(60)
    assert [builder.exitcode for builder in builders] == [0, 0, 0]
    assert (tmp_path / "configured").read_text() == "x"
    assert cache.find("linux-x86_64")


def test_an_edited_source_makes_the_engine_stale(small_native: Path) -> None:
    old = build(LINUX)
    (small_native / "engine" / "main.cpp").write_text("int main() { return 1; }\n")
    assert cache.find("linux-x86_64") is None
    assert [engine.current for engine in cache.engines()] == [False]
    new = build(LINUX)
    assert new != old
    assert sorted(engine.current for engine in cache.engines()) == [False, True]


def test_a_build_after_an_edit_compiles_only_what_changed(
    small_native: Path, tmp_path: Path, cache_root: Path
) -> None:
    old, new = (small_native / "engine" / name for name in ("old.cpp", "new.cpp"))
    old.write_text("int old;\n")
    compiler = tmp_path / "compiler.sh"
    compiler.write_text(f'cat "$1" > "$2"; echo "$2" >> "{tmp_path}/compiled"\n')
    with (small_native / "CMakeLists.txt").open("a") as file:
        file.write(f"""
file(GLOB sources CONFIGURE_DEPENDS engine/*.cpp)
foreach (source ${{sources}})
    get_filename_component(name "${{source}}" NAME_WE)
    add_custom_command(OUTPUT ${{name}}.o DEPENDS "${{source}}"
        COMMAND sh "{compiler}" "${{source}}" ${{name}}.o VERBATIM)
    add_custom_target(make-${{name}} DEPENDS ${{name}}.o)
    add_dependencies(llamapack-engine-files make-${{name}})
endforeach()
""")
    build(LINUX)
    assert sorted((tmp_path / "compiled").read_text().split()) == ["main.o", "old.o"]
    old.write_text("int old = 1;\n")
    new.write_text("int new_one;\n")
    build(LINUX)
    assert sorted((tmp_path / "compiled").read_text().split()) == [
        "main.o",
        "new.o",
        "old.o",
        "old.o",
    ]
    (folder,) = (cache_root / "build" / "linux-x86_64").iterdir()
    assert (folder / "out" / "old.o").read_text() == "int old = 1;\n"
    new.unlink()
    build(LINUX)
    assert not (folder / "native" / "engine" / "new.cpp").exists()


def test_another_release_is_compiled_from_nothing(small_native: Path, cache_root: Path) -> None:
    build(LINUX)
    (first,) = (cache_root / "build" / "linux-x86_64").iterdir()
    path = small_native / "pins.toml"
    path.write_text(path.read_text().replace("date = 1789238834", "date = 1789238835"))
    build(LINUX)
    (second,) = (cache_root / "build" / "linux-x86_64").iterdir()
    assert first != second


def test_a_compiler_error_is_shown_with_the_log(small_native: Path, cache_root: Path) -> None:
    compiler = small_native / "compiler.sh"
    compiler.write_text("echo 'engine/main.cpp:7:3: error: no member named x'; exit 1\n")
    with (small_native / "CMakeLists.txt").open("a") as file:
        file.write(f'add_custom_target(bad COMMAND sh "{compiler}" VERBATIM)\n')
        file.write("add_dependencies(llamapack-engine-files bad)\n")
    with pytest.raises(InputError) as caught:
        build(LINUX)
    assert caught.value.message == (
        "compiling linux-x86_64 failed: engine/main.cpp:7:3: error: no member named x"
    )
    log = cache_root / "logs" / "linux-x86_64.log"
    assert str(log) in caught.value.tip
    assert "no member named x" in log.read_text()
    assert cache.find("linux-x86_64") is None


def test_a_cmake_error_is_shown_with_its_message(small_native: Path) -> None:
    (small_native / "CMakeLists.txt").write_text('message(FATAL_ERROR "no such thing")\n')
    with pytest.raises(InputError, match=r"configuring .* CMake Error at .* no such thing"):
        build(LINUX)


def test_a_build_without_the_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "samples" / "OFF" / "llamapack-engine").unlink()
    with pytest.raises(InputError, match="left no `llamapack-engine`"):
        build(LINUX)


@pytest.mark.usefixtures("small_native")
def test_an_engine_that_would_not_start_is_refused(tmp_path: Path, cache_root: Path) -> None:
    program = tmp_path / "samples" / "OFF" / "llamapack-engine"
    program.write_bytes(program.read_bytes().replace(b"ggml_one", b"ggml_six"))
    with pytest.raises(InputError, match=r"linux-x86_64 would not start there: .*ggml_six") as why:
        build(LINUX)
    assert "ggml_six" in (cache_root / "logs" / "linux-x86_64.log").read_text()
    assert "linux-x86_64.log" in why.value.tip
    assert cache.find("linux-x86_64") is None


def test_another_zig_is_refused(small_native: Path) -> None:
    path = small_native / "pins.toml"
    path.write_text(path.read_text().replace("0.17.0", "0.18.0"))
    with pytest.raises(InputError, match=r"built with zig 0\.18\.0, this is 0\.17\.0") as caught:
        build(LINUX)
    assert "ziglang==0.18.0" in caught.value.tip


def test_a_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain.shutil, "which", lambda name, path=None: None)
    with pytest.raises(InputError, match="`cmake` is not installed") as caught:
        build(LINUX)
    assert "llamapack[build]" in caught.value.tip


def test_the_users_compiler_flags_stay_out(
    small_native: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CFLAGS", "-march=native")
    path = small_native / "CMakeLists.txt"
    path.write_text(
        path.read_text()
        + 'if (DEFINED ENV{CFLAGS})\n  message(FATAL_ERROR "CFLAGS=$ENV{CFLAGS}")\nendif()\n'
    )
    assert build(LINUX)


def test_a_builder_told_to_end_leaves_no_compiler(small_native: Path, cache_root: Path) -> None:
    with (small_native / "CMakeLists.txt").open("a") as file:
        file.write("add_custom_target(slow COMMAND ${CMAKE_COMMAND} -E sleep 61)\n")
        file.write("add_dependencies(llamapack-engine-files slow)\n")
    fork = multiprocessing.get_context("fork")
    builder = fork.Process(target=main, args=(["engine", "build", "linux-x86_64"],))
    builder.start()
    log = cache_root / "logs" / "linux-x86_64.log"
    while not (log.exists() and "ninja" in log.read_text().rpartition("$ ")[2]):
        assert builder.is_alive()
        time.sleep(0.01)
    builder.terminate()
    builder.join(20)
    assert builder.exitcode == 143
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(cache_root) not in processes.stdout


def test_a_damaged_engine_folder_is_not_an_engine(cache_root: Path) -> None:
    (build(LINUX) / "engine.json").write_text("[]")
    assert cache.find("linux-x86_64") is None
    assert build(LINUX) == cache.find("linux-x86_64")


def test_unknown_targets_are_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="unknown target `linux-vax`") as caught:
        named("linux-vax")
    assert "linux-x86_64-static" in caught.value.tip
