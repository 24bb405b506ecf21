"""When a finished runtime is taken, and when another is due."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cosmo_place import Place

from packer.engines import cosmo, native
from packer.engines.cosmo import CosmoRequest, build_runtime


class BuildIsDueError(Exception):
    """Raised in place of building."""


@pytest.fixture
def wanted(
    done_place: tuple[Place, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> CosmoRequest:
    """For what is built already, with sources and tools in places of this test."""
    place, _ = done_place

    def due(*_: object) -> Path:
        raise BuildIsDueError

    monkeypatch.setattr(cosmo, "_built", due)
    monkeypatch.setenv("LLAMAPACK_BUILD_CACHE", str(tmp_path / "cache"))
    shutil.copytree(place.cache / "engines", tmp_path / "cache" / "engines")
    source = shutil.copytree(place.source, tmp_path / "source")
    cosmocc = shutil.copytree(place.cosmocc.folder, tmp_path / "cosmocc")
    return CosmoRequest(source, cosmocc=cosmocc)


def is_due(wanted: CosmoRequest) -> bool:
    try:
        build_runtime(wanted)
    except BuildIsDueError:
        return True
    return False


def test_the_same_sources_and_tools_in_other_places_are_the_same(wanted: CosmoRequest) -> None:
    (wanted.source / ".git").mkdir()
    (wanted.source / ".git" / "HEAD").write_text("main")
    assert not is_due(wanted)


def test_a_program_that_is_gone_is_built_again(wanted: CosmoRequest, tmp_path: Path) -> None:
    for program in (tmp_path / "cache" / "engines").glob("*/llamapack-runtime"):
        program.unlink()
    assert is_due(wanted)


CHANGES: dict[str, Callable[[Path, Path], object]] = {
    "source": lambda source, _: (source / "main.c").open("a").write("\n"),
    "new file": lambda source, _: (source / "new.h").write_text(""),
    "renamed file": lambda source, _: (source / "LICENSE").rename(source / "NOTICE"),
    "link": lambda source, _: (source / "link").symlink_to("main.c"),
    "loader": lambda _, cosmocc: (cosmocc / "bin" / "ape-m1.c").write_text("another"),
    "tool": lambda _, cosmocc: (cosmocc / "bin" / "zipalign").open("a").write("#\n"),
    "libcosmo": lambda _, cosmocc: (
        (cosmocc / "x86_64-linux-cosmo" / "lib").mkdir(parents=True),
        (cosmocc / "x86_64-linux-cosmo" / "lib" / "libcosmo.a").write_bytes(b"4.0.2"),
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_makes_a_build_due(name: str, wanted: CosmoRequest) -> None:
    assert wanted.cosmocc
    CHANGES[name](wanted.source, wanted.cosmocc)
    assert is_due(wanted)


def test_other_wishes_make_a_build_due(wanted: CosmoRequest) -> None:
    assert is_due(replace(wanted, program="small"))
    assert is_due(replace(wanted, definitions=("LOUD=ON",)))


def test_a_version_makes_a_build_due(wanted: CosmoRequest) -> None:
    assert wanted.cosmocc
    path = wanted.cosmocc / "bin" / "apelink"
    path.write_text(path.read_text().replace("apelink v0.1", "apelink v0.2"))
    assert is_due(wanted)


@pytest.mark.parametrize("name", ["cosmo/start.c", "bundle/crc32.c"])
def test_our_own_files_make_a_build_due(
    name: str, wanted: CosmoRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = shutil.copytree(native.directory(), tmp_path / "native")
    monkeypatch.setattr(native, "directory", lambda: ours)
    assert not is_due(wanted)
    with (ours / name).open("a") as file:
        file.write("\n")
    assert is_due(wanted)


def test_a_definition_reaches_the_sources_and_the_older_runtime_goes(
    done_place: tuple[Place, Path], place: Place
) -> None:
    _, program = done_place
    loud = place.built("-D", "LOUD=ON")
    assert b"WORD %s" in loud.read_bytes()
    assert b"WORD %s" not in program.read_bytes()
    with (place.source / "main.c").open("a") as file:
        file.write("// changed\n")
    after = place.built("-D", "LOUD=ON")
    assert after != loud
    assert [path.name for path in (place.cache / "engines").iterdir()] == [after.parent.name]
