"""A change that fails leaves the file as it was; what a file system cannot do is done otherwise."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from edit_files import NewEngine, contents, packed, ran
from helpers.killing import calls, failing_at, leftovers
from helpers.mounts import with_private_mounts
from helpers.stand_ins import CommandLine

from runtime.formats.bundle import Bundle


@pytest.mark.parametrize(
    ("name", "error"), [("fallocate", "EOPNOTSUPP"), ("fallocate", "ENOSPC"), ("rename", "EACCES")]
)
def test_a_call_that_fails(
    name: str, error: str, path: Path, llamapack: CommandLine, new_engine: NewEngine
) -> None:
    """Where ranges cannot be inserted the weights are copied; other failures end the command."""
    old = path.read_bytes()
    new_engine(900_000)
    ran(llamapack, "upgrade", path)
    new = path.read_bytes()
    path.write_bytes(old)
    call = next(c for c in calls(llamapack, path, "upgrade", path) if c.name == name)
    path.write_bytes(old)
    done = failing_at(llamapack, call, error, "upgrade", path)
    assert not leftovers(path)
    if error == "EOPNOTSUPP":
        assert (done.returncode, "weights copied" in done.stderr) == (0, True)
        assert path.read_bytes() == new
    else:
        assert done.returncode == 1
        assert done.stderr.startswith("ERROR")
        assert path.read_bytes() == old


def test_smaller_engines_where_ranges_cannot_be_removed(
    path: Path, llamapack: CommandLine, new_engine: NewEngine
) -> None:
    """The weights stay, and the room before them stays free."""
    inode, before = path.stat().st_ino, contents(path)
    old = path.read_bytes()
    new_engine(20_000)
    call = next(c for c in calls(llamapack, path, "upgrade", path) if c.name == "fallocate")
    path.write_bytes(old)
    done = failing_at(llamapack, call, "EOPNOTSUPP", "upgrade", path)
    assert (done.returncode, "where they were" in done.stderr) == (0, True)
    assert path.stat().st_ino == inode
    assert contents(path)["large.gguf"] == before["large.gguf"]
    ran(llamapack, "verify", path)
    assert abs(path.stat().st_size - len(old)) < 65536
    with Bundle.open(path) as bundle:
        assert bundle.data_offset(bundle.weights[0]) % 65536 == 0
    # Engines that need that room find it again.
    new_engine(300_000)
    assert "where they were" in ran(llamapack, "upgrade", path)
    assert path.read_bytes() == old


def test_weights_with_holes_are_copied(
    path: Path, large: Path, llamapack: CommandLine, new_engine: NewEngine, tmp_path: Path
) -> None:
    """With holes it could not be told how far an interrupted move came; copies keep them."""
    os.truncate(large, 64 << 20)
    path = packed(llamapack, tmp_path / "holes.llamafile", large)
    new_engine(900_000)
    assert "weights copied" in ran(llamapack, "upgrade", path)
    assert path.stat().st_blocks * 512 < 10 << 20
    ran(llamapack, "verify", path)


def test_a_disk_that_fills_up(path: Path, tmp_path: Path, llamapack: CommandLine) -> None:
    """While weights are added: what was written is taken back at once."""
    old = path.read_bytes()
    more = tmp_path / "more.txt"
    more.write_bytes(os.urandom(3 << 20))
    words = ["edit", path, "--add", more]
    writes = [call for call in calls(llamapack, path, *words) if call.name == "write"]
    path.write_bytes(old)
    done = failing_at(llamapack, writes[len(writes) // 2], "ENOSPC", *words)
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert path.read_bytes() == old
    assert not leftovers(path)


_SMALL_TMPDIR = """
mkdir small && mount -t tmpfs -o size=1m none small || exit 77
TMPDIR=$PWD/small exec "$@"
"""


def test_large_members_go_into_no_temporary_folder(
    path: Path, tmp_path: Path, llamapack: CommandLine, new_engine: NewEngine
) -> None:
    """All but weights is put aside where a new file gets another runtime."""
    more = tmp_path / "more.bin"
    more.write_bytes(os.urandom(20 << 20))
    ran(llamapack, "edit", path, "--add", more)
    new_engine(900_000)
    words = llamapack.command("upgrade", path, "--copy")
    done = with_private_mounts(llamapack, _SMALL_TMPDIR, *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    ran(llamapack, "verify", path)


def test_no_room_for_the_name_of_an_undo_file(path: Path, llamapack: CommandLine) -> None:
    long = path.rename(path.with_name("n" * 250))
    old = long.read_bytes()
    done = llamapack("edit", long, "--args", "-c 5")
    assert done.returncode == 1
    assert "File name too long" in done.stderr
    assert long.read_bytes() == old
