"""A range of a file as a file, against the same bytes in memory."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packer.parts.layout import FileSlice
from runtime.errors import InputError

DATA = bytes(range(256)) * 3

Step = st.one_of(
    st.tuples(st.just("read"), st.integers(-1, 300)),
    st.tuples(st.just("set"), st.integers(0, 900)),
    st.tuples(st.just("end"), st.integers(-100, 100)),
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("slice") / "data"
    path.write_bytes(DATA)
    return path


@settings(deadline=None)
@given(st.integers(0, len(DATA)), st.integers(0, len(DATA)), st.lists(Step))
def test_it_reads_as_its_bytes_do(
    path: Path, start: int, size: int, steps: list[tuple[str, int]]
) -> None:
    size = min(size, len(DATA) - start)
    expected = io.BytesIO(DATA[start : start + size])
    counted: list[int] = []
    read = 0
    with FileSlice(path, start, size, counted.append) as actual:
        for step, number in steps:
            if step == "read":
                found = actual.read(number)
                assert found == expected.read(number)
                read += len(found)
            elif step == "set":
                assert actual.seek(number) == expected.seek(number)
            elif number >= -size:
                whence = os.SEEK_END
                assert actual.seek(number, whence) == expected.seek(number, whence)
            assert actual.tell() == expected.tell()
    assert sum(counted) == read


def test_a_file_that_became_shorter(path: Path) -> None:
    with FileSlice(path, 700, 200) as file, pytest.raises(InputError, match="became shorter"):
        file.read()


def test_it_does_not_pass_for_the_whole_file(path: Path) -> None:
    with FileSlice(path, 0, 10) as file, pytest.raises(io.UnsupportedOperation):
        file.fileno()
