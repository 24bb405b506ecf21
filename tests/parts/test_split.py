"""`llamapack split` and `pack --split-size`: parts that `cat` and `sha256sum` understand."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from helpers.interrupts import interrupted
from helpers.part_sets import large_bundle, large_gguf, names, sha256sum, split
from helpers.stand_ins import CommandLine, Refused, write_gguf

from packer.commands import parser
from packer.recipes.read import completed
from runtime.formats.undo_file import undo_path


def cat(parts: list[Path]) -> bytes:
    return subprocess.run(["cat", *parts], check=True, capture_output=True).stdout


def test_split(tmp_path: Path, llamapack: CommandLine) -> None:
    whole = large_bundle(tmp_path, llamapack)
    data = whole.read_bytes()
    done = llamapack("split", whole, "--size", "400kB")
    *parts, sums = map(Path, done.stdout.splitlines())
    count = -(-len(data) // 400_000)
    assert parts == [whole.with_name(f"m.llamafile.cat{n}") for n in range(count)]
    assert [part.stat().st_size for part in parts[:-1]] == [400_000] * (count - 1)
    assert [part.stat().st_mode & 0o111 for part in parts] == [0] * count
    assert cat(parts) == data == whole.read_bytes()
    assert sums == whole.with_name("m.llamafile.sha256")
    assert sha256sum(whole.parent) == [part.name for part in parts]
    assert f"llamapack join {parts[0]}" in done.stderr
    assert names(whole.parent) == sorted([whole.name, sums.name, *(part.name for part in parts)])


@pytest.mark.parametrize("size", [1, 4096, 65536, 65537, 250_000, 1 << 20])
def test_any_size(size: int, tmp_path: Path, llamapack: CommandLine) -> None:
    data = os.urandom(size * 3 + 1)
    (tmp_path / "x").write_bytes(data)
    parts = split(llamapack, tmp_path / "x", tmp_path / "parts", str(size))
    assert [part.stat().st_size for part in parts] == [size, size, size, 1]
    assert cat(parts) == data
    assert len(sha256sum(tmp_path / "parts", "x.sha256")) == 4


def test_holes_stay_holes(tmp_path: Path, llamapack: CommandLine) -> None:
    with (tmp_path / "x").open("wb") as file:
        file.write(b"begin")
        file.truncate(100 << 20)
    parts = split(llamapack, tmp_path / "x", tmp_path / "parts", "30MiB")
    assert cat(parts) == (tmp_path / "x").read_bytes()
    assert sum(part.stat().st_blocks for part in parts) * 512 < 20 << 20
    assert len(sha256sum(tmp_path / "parts", "x.sha256")) == 4


def test_where_parts_go(tmp_path: Path, llamapack: CommandLine) -> None:
    whole = tmp_path / "x"
    whole.write_bytes(b"12345")
    done = llamapack("split", "x", "--size", "3B", "-o", "y z", cwd=tmp_path)
    assert done.stdout.splitlines() == ["y z.cat0", "y z.cat1", "y z.sha256"]
    assert "join 'y z.cat0'" in done.stderr
    assert (tmp_path / "y z.cat1").read_text() == "45"


def test_refusals(tmp_path: Path, llamapack: CommandLine, refused: Refused) -> None:
    whole = tmp_path / "x"
    whole.write_bytes(b"12345")
    assert "fits into one part" in refused(llamapack("split", whole))
    assert "5,000 parts" in refused(llamapack("split", large(tmp_path / "l", 5000), "--size", "1"))
    assert "does not exist" in refused(llamapack("split", tmp_path / "absent"))
    assert "is a directory" in refused(llamapack("split", tmp_path))
    for size in ("0", "x", "5G"):
        assert llamapack("split", whole, "--size", size).returncode == 2
    (tmp_path / "x.cat7").write_text("precious")
    assert "x.cat7 exists already" in refused(llamapack("split", whole, "--size", "2"))
    assert names(tmp_path) == ["l", "llamapack-under-test", "x", "x.cat7"]


def test_a_file_in_the_middle_of_a_change(
    tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    """Its parts would have hashes that agree, and not be what was there before or after."""
    whole = large(tmp_path / "m.llamafile", 5)
    undo_path(whole).write_bytes(b"")
    assert "interrupted" in refused(llamapack("split", whole, "--size", "2"))
    assert not list(tmp_path.glob("m.llamafile.*"))


def large(path: Path, size: int) -> Path:
    path.write_bytes(bytes(size))
    return path


def test_force_replaces_all_parts(tmp_path: Path, llamapack: CommandLine) -> None:
    """Also those of which there are fewer now: `cat` would append them."""
    folder = tmp_path / "parts"
    split(llamapack, large(tmp_path / "x", 9), folder, "2")
    assert len(names(folder)) == 6
    llamapack.ran("split", tmp_path / "x", "--size", "5", "-o", folder, "--force")
    assert names(folder) == ["x.cat0", "x.cat1", "x.sha256"]
    assert sha256sum(folder, "x.sha256") == ["x.cat0", "x.cat1"]


@pytest.mark.parametrize("size", ["64KiB", "131072", "200kB", "301234"])
def test_pack_gives_the_bytes_of_an_unsplit_bundle(
    size: str, tmp_path: Path, llamapack: CommandLine
) -> None:
    """Three models, so that headers that are mended later lie in several parts, or across two."""
    models = [large_gguf(tmp_path, 150_000 + n * 77_777, f"m{n}.gguf") for n in range(3)]
    whole, folder = tmp_path / "whole.llamafile", tmp_path / "parts"
    folder.mkdir()
    words = [*models, "--chat-template", "chatml", "--args", "-c 512"]
    llamapack.ran("pack", *words, "-o", whole, "--no-split")
    done = llamapack.ran("pack", *words, "-o", folder / "m.llamafile", "--split-size", size)
    *parts, sums = map(Path, done.stdout.splitlines())
    assert len(parts) > 2
    assert cat(parts) == whole.read_bytes()
    assert sha256sum(folder) == [part.name for part in parts]
    assert names(folder) == sorted([*(part.name for part in parts), sums.name])
    assert f"{len(parts)} parts" in done.stderr
    assert f"llamapack join {parts[0]}" in done.stderr


def test_headers_of_zip_across_two_parts(tmp_path: Path, llamapack: CommandLine) -> None:
    """Cut at every byte of the weights' local header, which is written again when they are done."""
    model = write_gguf(tmp_path / "m.gguf")
    whole = tmp_path / "whole.llamafile"
    llamapack.ran("pack", model, "-o", whole, "-q")
    data = whole.read_bytes()
    crc = data.rindex(b"PK\3\4", 0, data.index(b"GGUF")) + 14
    for size in range(crc - 1, crc + 14, 3):
        folder = tmp_path / str(size)
        folder.mkdir()
        done = llamapack.ran("pack", model, "-o", folder / "m.llamafile", "--split-size", str(size))
        *parts, _ = map(Path, done.stdout.splitlines())
        assert cat(parts) == data
        assert sha256sum(folder) == [part.name for part in parts]


def test_what_fits_into_one_part_stays_whole(
    tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    """Its size is known only when it is written: the limit says more."""
    model = write_gguf(tmp_path / "m.gguf")
    path = tmp_path / "out" / "m.llamafile"
    path.parent.mkdir()
    done = llamapack("pack", model, "-o", path, "--split-size", "300kB")
    assert done.stdout.splitlines() == [str(path)]
    assert path.stat().st_mode & 0o111
    assert names(path.parent) == ["m.llamafile"]
    assert "exists already" in refused(
        llamapack("pack", model, "-o", path, "--split-size", "300kB")
    )
    llamapack.ran("verify", path)


def test_parts_do_not_touch_the_whole_file_beside_them(
    tmp_path: Path, llamapack: CommandLine
) -> None:
    model = large_gguf(tmp_path)
    path = tmp_path / "out" / "m.llamafile"
    path.parent.mkdir()
    llamapack.ran("pack", model, "-o", path, "-q")
    before = path.read_bytes()
    done = llamapack.ran("pack", model, "-o", path, "-q", "--split-size", "400kB")
    assert path.read_bytes() == before == cat([*map(Path, done.stdout.splitlines())][:-1])


def test_the_usual_size_of_parts() -> None:
    def size(*words: str) -> object:
        return completed(vars(parser(["pack"]).parse_args(["pack", "m.gguf", *words]))).split_size

    assert (size(), size("--no-split"), size("--split-size", "1.9GiB")) == (
        50_000_000_000,
        None,
        2_040_109_465,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing(
    number: signal.Signals, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    model = write_gguf(tmp_path / "m.gguf")
    os.truncate(model, 6 << 30)  # long enough to be hit in the middle, and on disk only holes
    folder = tmp_path / "parts"
    folder.mkdir()
    words = ["pack", model, "--split-size", "100MB"]
    done = interrupted(llamapack, number, *words, cwd=folder, when=lambda: len(names(folder)) > 2)
    assert "interrupted" in refused(done)
    assert names(folder) == []


def test_a_limit_on_file_size(tmp_path: Path, llamapack: CommandLine, refused: Refused) -> None:
    """Parts that fit under it are written where the whole would not; others leave nothing."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
    whole = tmp_path / "x"
    whole.write_bytes(os.urandom(3 << 20))
    for size, parts in (("1MiB", 3), ("1100kB", 0)):
        folder = tmp_path / size
        folder.mkdir()
        done = llamapack("split", whole, "--size", size, "-o", folder, first=limit)
        if parts:
            assert done.returncode == 0, done.stderr
            assert len(sha256sum(folder, "x.sha256")) == parts
        else:
            assert "File too large" in refused(done)
            assert names(folder) == []


def test_inspect_and_verify_know_parts(
    tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    whole = large_bundle(tmp_path, llamapack)
    parts = split(llamapack, whole, tmp_path / "parts")
    for verb in ("inspect", "verify"):
        for number, part in enumerate(parts):
            done = llamapack(verb, part)
            error = refused(done)
            assert f"part {number + 1} of m.llamafile" in error
            assert f"{len(parts)} parts are here" in error
            assert f"llamapack join {part}" in done.stderr
        done = llamapack(verb, tmp_path / "parts" / "m.llamafile")
        assert f"does not exist, but {len(parts)} of its parts do" in refused(done)
        assert f"llamapack join {parts[0]}" in done.stderr
    # A whole file may be named like a part.
    renamed = whole.rename(whole.with_name("n.cat0.llamafile"))
    assert json.loads(llamapack("inspect", renamed, "--json").stdout)["name"] == "big"
