from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from packer.engines import native, pins, web_ui
from packer.engines.key import engine_key
from packer.engines.targets import TARGETS

LINUX = TARGETS["linux-x86_64"]


def key_of(folder: Path) -> str:
    return engine_key(LINUX, pins.load(folder), native.digests(folder))


@pytest.mark.parametrize("name", ["engine/main.cpp", "CMakeLists.txt", "engine/new.cpp"])
def test_a_changed_source_changes_the_key(small_native: Path, name: str) -> None:
    before = key_of(small_native)
    with (small_native / name).open("a") as file:
        file.write("\n")
    assert key_of(small_native) != before


@pytest.mark.parametrize(
    "name",
    ["stub/stub.c", "cosmo/start.c", "targets.toml", "README.md", "engine/.x.cpp", "x.c~", "a.out"],
)
def test_what_is_not_compiled_does_not_change_the_key(small_native: Path, name: str) -> None:
    before = key_of(small_native)
    with (small_native / name).open("a") as file:
        file.write("\n")
    assert key_of(small_native) == before


def test_no_key_depends_on_what_is_compiled_with_cosmocc(tmp_path: Path) -> None:
    ours = native.directory()
    bare = shutil.copytree(ours, tmp_path / "native", ignore=shutil.ignore_patterns("cosmo"))
    assert (ours / "cosmo" / "start.c").is_file()
    assert not (bare / "cosmo").exists()
    pinned = pins.load(ours)
    bare_digests, digests = native.digests(bare), native.digests(ours)
    for row in TARGETS.values():
        assert engine_key(row, pinned, bare_digests) == engine_key(row, pinned, digests)


def test_pins_and_target_go_into_the_key(small_native: Path) -> None:
    pinned = pins.load(small_native)
    digests = native.digests(small_native)
    keys = {engine_key(row, pinned, digests) for row in TARGETS.values()}
    keys.add(engine_key(LINUX, replace(pinned, zig="0.18.0"), digests))
    keys.add(engine_key(replace(LINUX, zig="x86_64-linux-gnu.2.28"), pinned, digests))
    assert len(keys) == len(TARGETS) + 2


def test_the_key_does_not_depend_on_the_folder(small_native: Path, tmp_path: Path) -> None:
    before = key_of(small_native)
    assert key_of(small_native.rename(tmp_path / "moved")) == before


def test_the_web_ui_is_rebuilt_only_for_its_own_sources(small_native: Path) -> None:
    pinned = pins.load(small_native)
    before = web_ui.key(pinned, small_native)
    (small_native / "engine" / "main.cpp").write_text("other")
    assert web_ui.key(pinned, small_native) == before
    assert web_ui.key(replace(pinned, date=1), small_native) != before
    (small_native / "web_ui" / "freeze-date.cjs").write_text("other")
    assert web_ui.key(pinned, small_native) != before


_TWICE = """
import sys
opened = []
sys.addaudithook(lambda event, args: event == "open" and opened.append(str(args[0])))
from packer.engines import cache, native
cache.built(), cache.built()
print(opened.count(str(native.directory() / "engine" / "main.cpp")))
"""


def test_a_source_is_read_once_in_a_process() -> None:
    done = subprocess.run([sys.executable, "-c", _TWICE], capture_output=True, check=True)
    assert done.stdout.strip() == b"1"
