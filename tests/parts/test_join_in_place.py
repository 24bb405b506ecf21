"""What `llamapack join --in-place` needs of a disk, and whose files it leaves alone."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from helpers.mounts import with_private_mounts
from helpers.part_sets import large_bundle, names, split
from helpers.stand_ins import CommandLine, Refused

_ON_A_SMALL_DISK = """
mount -t tmpfs -o size=$1 tmpfs full && cp parts/* full || exit 77
shift
"$@"
status=$?
cp full/m.llamafile joined 2>/dev/null
exit $status
"""


@pytest.fixture
def parts(tmp_path: Path, llamapack: CommandLine) -> list[Path]:
    whole = large_bundle(tmp_path, llamapack, 12_000_000)
    return split(llamapack, whole, tmp_path / "parts", "3MB")


@pytest.mark.parametrize("how", [[], ["--in-place"]], ids=["copy", "in-place"])
def test_a_disk_that_is_nearly_full(
    how: list[str], parts: list[Path], tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    """Of a disk of 13 MB these parts leave less than one, and one part has three."""
    (tmp_path / "full").mkdir()
    join = llamapack.command("join", "-q", *how, tmp_path / "full" / parts[0].name)
    used = sum(part.stat().st_size for part in parts)
    done = with_private_mounts(
        llamapack, _ON_A_SMALL_DISK, str(used + 900_000), *join, cwd=tmp_path
    )
    if how:
        assert done.returncode == 0, done.stderr
        whole = tmp_path / "whole" / "m.llamafile"
        assert (tmp_path / "joined").read_bytes() == whole.read_bytes()
    else:
        assert "no space" in refused(done)


_ON_A_FULL_DISK = """
mount -t tmpfs -o size=$1 tmpfs full && cp parts/* full || exit 77
shift
cat /dev/zero > full/filler 2>/dev/null
truncate -s -30000 full/filler
"$@" && exit 1
rm full/filler
"$@" || exit 1
cp full/m.llamafile joined
"""


def test_a_disk_that_is_full(parts: list[Path], tmp_path: Path, llamapack: CommandLine) -> None:
    """Not even the smallest piece fits: it ends with an error, and goes on when there is space."""
    (tmp_path / "full").mkdir()
    join = llamapack.command("join", "-q", "--in-place", tmp_path / "full" / parts[0].name)
    size = sum(part.stat().st_size for part in parts) + 2_000_000
    done = with_private_mounts(llamapack, _ON_A_FULL_DISK, str(size), *join, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "No space left" in done.stderr
    assert done.stderr.count("ERROR") == 1
    assert (tmp_path / "joined").read_bytes() == (tmp_path / "whole" / "m.llamafile").read_bytes()


def test_files_of_others_stay(
    parts: list[Path], tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    """Links into a cache, and second names, would change with the parts."""
    data = parts[1].read_bytes()
    aside = parts[1].rename(tmp_path / "blob")
    for link, message in ((parts[1].symlink_to, "symbolic link"), (parts[1].hardlink_to, "name")):
        link(aside)
        done = llamapack("join", "--in-place", parts[0])
        assert message in refused(done)
        assert "without `--in-place`" in done.stderr
        assert aside.read_bytes() == data
        llamapack.ran("join", parts[0], "-o", tmp_path / "copy")
        whole = tmp_path / "whole" / "m.llamafile"
        assert (tmp_path / "copy").read_bytes() == whole.read_bytes()
        (tmp_path / "copy").unlink()
        parts[1].unlink()
    aside.rename(parts[1])
    assert len(names(parts[0].parent)) == len(parts) + 1


def test_another_file_system(parts: list[Path], llamapack: CommandLine, refused: Refused) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == parts[0].stat().st_dev:
        pytest.skip("SKIPPED LOUDLY: no second file system at /dev/shm")
    output = elsewhere / f"llamapack-{os.getpid()}.llamafile"
    try:
        done = llamapack("join", "--in-place", parts[0], "-o", output)
        assert "not on the same file system" in refused(done)
        assert not output.exists()
    finally:
        output.unlink(missing_ok=True)


def test_two_at_once(parts: list[Path], llamapack: CommandLine) -> None:
    """One joins; the other says so, or finds that it is done."""
    words = llamapack.command("join", "--in-place", parts[0])
    both = [
        subprocess.Popen(
            words, env=llamapack.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    errors = [process.communicate(timeout=60)[1] for process in both]
    assert 0 in [process.returncode for process in both], errors
    assert "Traceback" not in "".join(errors)
    whole = parts[0].parents[1] / "whole" / "m.llamafile"
    assert parts[0].with_name("m.llamafile").read_bytes() == whole.read_bytes()
    assert names(parts[0].parent) == ["m.llamafile", "m.llamafile.sha256"]
