"""Upgrades on file systems that move or share blocks: nothing is written twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from edit_files import NewEngine, grow, packed, ran
from helpers.mounts import MAKE, mounted, used
from helpers.stand_ins import CommandLine, write_gguf

WEIGHTS = 60 << 20  # bytes


@pytest.fixture(params=MAKE)
def mounted_as(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    with mounted(request.param, tmp_path) as place:
        yield request.param, place


def test_weights_are_moved_or_shared(
    mounted_as: tuple[str, Path], tmp_path: Path, llamapack: CommandLine, new_engine: NewEngine
) -> None:
    kind, place = mounted_as
    model = grow(write_gguf(tmp_path / "m.gguf"), WEIGHTS)
    new_engine(300_000)
    path = packed(llamapack, place / "m.llamafile", model)
    inode, before = path.stat().st_ino, used(place)
    for size in (900_000, 20_000):
        new_engine(size)
        said = ran(llamapack, "upgrade", path)
        fresh = packed(llamapack, tmp_path / "fresh.llamafile", model, "--name", "m", "--force")
        assert path.read_bytes() == fresh.read_bytes()
        assert (
            "in a new file that shares them" if kind == "btrfs" else "moved, not copied"
        ) in said
        ran(llamapack, "verify", path)
    assert (path.stat().st_ino == inode) is (kind != "btrfs")
    if kind in ("btrfs", "xfs"):
        twin = place / "twin"
        twin.hardlink_to(path)
        ran(llamapack, "edit", path, "--args", "-c 5", "--copy")
        assert path.stat().st_ino != twin.stat().st_ino
        folder = place / "out"
        llamapack.ran("extract", path, "m.gguf", "-C", folder)
        assert (folder / "m.gguf").read_bytes() == model.read_bytes()
    assert used(place) - before < 8 << 20
