"""`llamapack upgrade` from outside: the file is what `pack` makes with the new engines."""

from __future__ import annotations

from pathlib import Path

import pytest
from edit_files import NewEngine, packed, ran, same_file
from helpers.stand_ins import CommandLine, write_gguf

ARGS = ["--chat-template", "chatml", "--args", "-c 4096"]


@pytest.mark.parametrize(
    ("size", "extra"), [(50_000, ()), (60_000, ()), (900_000, ()), (0, ()), (900_000, ("--copy",))]
)
def test_an_upgrade_gives_what_pack_gives(  # noqa: PLR0917
    size: int, extra: tuple[str, ...], large: Path, tmp_path: Path, llamapack: CommandLine,
    new_engine: NewEngine,
) -> None:  # fmt: skip
    """From engines of 200 kB to others that are larger or smaller, or nearly the same."""
    new_engine(200_000 if size == 0 else 55_000)
    other = write_gguf(tmp_path / "other.gguf", seed=2)
    path = packed(llamapack, tmp_path / "large.llamafile", large, other, *ARGS)
    inode = path.stat().st_ino
    new_engine(size)
    said = ran(llamapack, "upgrade", path, *extra)
    print(said)
    fresh = packed(llamapack, tmp_path / "fresh.llamafile", large, other, *ARGS, "--name", "large")
    assert same_file(path, fresh)
    assert (path.stat().st_ino == inode) is not bool(extra)
    ran(llamapack, "verify", path)
    assert "already" in ran(llamapack, "upgrade", path, "--engines", "linux-x86_64")
