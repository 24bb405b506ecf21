from __future__ import annotations

import hashlib
import io
import random
import zlib
from pathlib import Path

import pytest

from packer.io.copy import BLOCK, copy
from packer.io.digest import digest
from packer.io.output import output_file
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
