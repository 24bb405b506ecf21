"""Copies and direct access: the bytes, their hashes and holes, past the page cache or not."""

from __future__ import annotations

import hashlib
import io
import mmap
import os
import random
import zlib
from pathlib import Path

import pytest

from packer.io.copy import BLOCK, copy
from packer.io.digest import digest
from packer.io.file_system import DirectReader, DirectWriter
from packer.io.output import OutputFile, output_file
from packer.io.sources import FileSource
from runtime.errors import InputError


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 9 * BLOCK + 77])
@pytest.mark.parametrize("sparse", [True, False])
def test_copies_and_hashes(tmp_path: Path, size: int, sparse: bool) -> None:
    data = (hashlib.sha256(str(size).encode()).digest() * (size // 32 + 1))[:size]
    seen: list[int] = []
    with output_file(tmp_path / "copy") as destination:
        destination.write(b"front")
        found = copy(
            io.BytesIO(data), size, "data", destination, advance=seen.append, sparse=sparse
        )
    assert (tmp_path / "copy").read_bytes() == b"front" + data
    assert found == digest(data)
    assert (found.crc32, found.sha256) == (zlib.crc32(data), hashlib.sha256(data).hexdigest())
    assert sum(seen) == size


@pytest.mark.parametrize("size", [1, 4096, 2 * BLOCK, 9 * BLOCK + 77])
@pytest.mark.parametrize("front", [0, 65536, 65537])
def test_copies_files_past_the_page_cache_or_not(tmp_path: Path, size: int, front: int) -> None:
    """Aligned contents are written past the page cache where possible, others through it."""
    source = tmp_path / "source"
    source.write_bytes(random.Random(size).randbytes(size))
    with FileSource.of(source).open() as file, output_file(tmp_path / "copy") as destination:
        destination.write(bytes(front))
        found = copy(file, size, "source", destination, advance=lambda _: None, sparse=False)
        destination.write(b"after")
    assert (tmp_path / "copy").read_bytes() == bytes(front) + source.read_bytes() + b"after"
    assert found == digest(source.read_bytes())


def test_holes_stay_holes(tmp_path: Path) -> None:
    source = tmp_path / "sparse"
    with source.open("wb") as file:
        file.write(b"begin")
        file.truncate(64 * BLOCK)
        file.seek(64 * BLOCK)
        file.write(b"end")
    found = FileSource.of(source)
    assert found.sparse
    with found.open() as file, output_file(tmp_path / "copy") as destination:
        copy(file, found.size, "sparse", destination, advance=lambda _: None, sparse=found.sparse)
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()
    assert (tmp_path / "copy").stat().st_blocks * 512 <= 3 * BLOCK


def test_a_source_that_shrinks_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="became shorter"),
        output_file(tmp_path / "copy") as destination,
    ):
        copy(
            io.BytesIO(bytes(BLOCK * 2)),
            BLOCK * 3,
            "data",
            destination,
            advance=lambda _: None,
            sparse=False,
        )
    assert list(tmp_path.iterdir()) == []


MIB = 1 << 20


@pytest.fixture
def file(tmp_path: Path) -> io.FileIO:
    return io.FileIO(tmp_path / "file", "x+b")


def pages(count: int) -> memoryview:
    """Random bytes that begin where a page does."""
    data = memoryview(mmap.mmap(-1, count))
    data[:] = os.urandom(count)
    return data


def test_only_whole_pages_in_large_pieces(file: io.FileIO) -> None:
    data = pages(3 * MIB)
    with file, DirectWriter(file) as direct:
        if not direct.works:
            pytest.skip("SKIPPED LOUDLY: this file system has no O_DIRECT")
        assert direct.write(data[: 2 * MIB + 77], 4096) == 2 * MIB
        assert os.pread(file.fileno(), 2 * MIB, 4096) == data[: 2 * MIB]
        for refused, offset in (
            (data[:MIB], 77),
            (data[77:], 0),
            (data[: MIB - 1], 0),
            (memoryview(bytes(2 * MIB)), 0),
        ):
            assert direct.write(refused, offset) == 0
        assert direct.works
    assert not direct.works
    assert direct.write(data, 0) == 0


@pytest.mark.parametrize("front", [0, 77, 4096])
def test_an_output_written_in_both_ways(front: int, file: io.FileIO) -> None:
    data = pages(2 * MIB + 4096)
    with file, DirectWriter(file) as direct:
        output = OutputFile(file, direct)
        output.write(b"f" * front)
        output.write(data[: 2 * MIB + 99])
        output.write(b"tail")
        output.patch(front, b"mended")
        assert output.position == front + 2 * MIB + 103
    expected = b"f" * front + b"mended" + bytes(data[6 : 2 * MIB + 99]) + b"tail"
    assert Path(str(file.name)).read_bytes() == expected


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("offset", [0, 4096, 5])
def test_reading_gives_what_is_there(tmp_path: Path, cached: bool, offset: int) -> None:
    path = tmp_path / "data"
    data = random.Random(1).randbytes(3 * MIB + 17)
    path.write_bytes(data)
    with path.open("rb", buffering=0) as file, DirectReader(file) as reader:
        if not cached:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        found = bytearray()
        space = memoryview(mmap.mmap(-1, MIB))
        while count := reader.read(space, offset + len(found)):
            found += space[:count]
    assert found == data[offset:]


def test_reading_where_only_the_cache_can_be_used(tmp_path: Path) -> None:
    with Path("/proc/self/maps").open("rb", buffering=0) as file, DirectReader(file) as reader:
        space = memoryview(mmap.mmap(-1, MIB))
        assert b"r-xp" in space[: reader.read(space, 0)].tobytes()
