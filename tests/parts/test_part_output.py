"""Parts as they are written: the bytes, their hashes, and what is read again for these."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packer.io.output import create
from packer.parts.output import PartsOutput


class Folder:
    """Makes new files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0

    def new(self) -> tuple[Path, io.FileIO]:
        self.count += 1
        path = self.path / str(self.count)
        return path, create(path)


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.binary(max_size=300)),
        st.tuples(st.just("skip"), st.integers(0, 300)),
        st.tuples(st.just("take"), st.integers(0, 300)),
        st.tuples(st.just("patch"), st.tuples(st.integers(0, 2000), st.binary(max_size=60))),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(_STEPS, st.integers(1, 400))
def test_any_order_of_steps(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, object]], size: int
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    model = bytearray()
    (folder / "source").write_bytes(bytes(range(256)) * 2)
    with PartsOutput(Folder(folder).new, size) as output, (folder / "source").open("rb", 0) as file:
        for step, value in steps:
            if isinstance(value, bytes):
                output.write(value)
                model += value
            elif isinstance(value, tuple):
                offset, data = value
                data = data[: max(len(model) - offset, 0)]
                output.patch(offset, data)
                model[offset : offset + len(data)] = data
            elif step == "skip":
                output.skip(int(str(value)))
                model += bytes(int(str(value)))
            else:
                count = int(str(value))
                pieces = output.take(file, count)
                if pieces is not None:
                    taken = b"".join(map(bytes, pieces))
                    assert taken == (bytes(range(256)) * 2)[:count]
                    model += taken
            assert output.position == len(model)
        output.finish()
        parts = [part.path.read_bytes() for part in output.parts]
        assert b"".join(parts) == model
        assert all(len(part) == size for part in parts[:-1])
        assert [part.sha256(lambda _: None) for part in output.parts] == [
            hashlib.sha256(part).hexdigest() for part in parts
        ]


def test_only_what_is_behind_a_patch_is_read_again(tmp_path: Path) -> None:
    """As a ZIP writer works: a small header, large contents, and the header again."""
    with PartsOutput(Folder(tmp_path).new, 1 << 20) as output:
        output.write(bytes(700_000))
        header = output.position
        output.write(b"header")
        output.write(os.urandom(3 << 20))
        output.patch(header, b"HEADER")
        output.finish()
        read: list[int] = []
        for part in output.parts:
            assert part.sha256(read.append) == hashlib.sha256(part.path.read_bytes()).hexdigest()
        assert sum(read) == (1 << 20) - header
        assert [part.stale for part in output.parts] == [(1 << 20) - header, 0, 0, 0]
