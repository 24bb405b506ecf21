"""How parts are found and read as one file, written with their hashes, and read out of a file."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packer.io.output import create
from packer.parts.layout import FileSlice
from packer.parts.splitting import PartsOutput
from runtime.errors import InputError
from runtime.formats.parts import find, part_name


@pytest.mark.parametrize(
    ("name", "whole", "number", "next_name"),
    [
        ("m.llamafile.cat0", "m.llamafile", 0, "m.llamafile.cat1"),
        ("m.cat3.llamafile", "m.llamafile", 3, "m.cat4.llamafile"),
        ("m.elf.cat12", "m.elf", 12, "m.elf.cat13"),
        ("a.cat1.b.cat2", "a.cat1.b", 2, "a.cat1.b.cat3"),
        ("m\n.llamafile.cat0", "m\n.llamafile", 0, "m\n.llamafile.cat1"),
    ],
)
def test_both_spellings(name: str, whole: str, number: int, next_name: str) -> None:
    found = part_name(name)
    assert found
    assert (found.whole, found.number, found.other(number + 1)) == (whole, number, next_name)


@pytest.mark.parametrize("name", ["m.llamafile", "m.cat", "m.catx", ".cat0", "m.cat0.gguf", "cat0"])
def test_other_names(name: str) -> None:
    assert part_name(name) is None


@pytest.mark.parametrize("pattern", ["m.llamafile.cat{}", "m.cat{}.llamafile"])
@pytest.mark.parametrize("named", [0, 7, 11])
def test_finds_all_in_the_order_of_their_numbers(pattern: str, named: int, tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / pattern.format(number)).write_text(f"{number},")
    for other in ("m.llamafile", "n.llamafile.cat0", "m.llamafile.cat0.txt", "m.catalogue"):
        (tmp_path / other).write_text("other")
    other_spelling = "m.cat0.llamafile" if pattern.endswith("{}") else "m.llamafile.cat0"
    (tmp_path / other_spelling).write_text("other")
    parts = find(tmp_path / pattern.format(named))
    assert parts.whole == tmp_path / "m.llamafile"
    assert [path.name for path in parts.paths] == [pattern.format(n) for n in range(12)]
    with parts.open() as file:
        assert file.read() == b"0,1,2,3,4,5,6,7,8,9,10,11,"


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    for number in (1, 4):
        (tmp_path / f"m.llamafile.cat{number}").touch()
    with pytest.raises(InputError, match=r"cat0, .*cat2, .*cat3 are missing"):
        find(tmp_path / "m.llamafile.cat1")
    with pytest.raises(InputError, match="does not exist"):
        find(tmp_path / "n.llamafile.cat0")
    with pytest.raises(InputError, match="not have the name of a part"):
        find(tmp_path / "n.llamafile")
    (tmp_path / "m.llamafile.cat01").touch()
    with pytest.raises(InputError, match="same number"):
        find(tmp_path / "m.llamafile.cat1")


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.binary(max_size=20), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 130), st.integers(0, 50)), max_size=20),
)
def test_reads_as_one_file(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], reads: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    for number, piece in enumerate(pieces):
        (folder / f"m.cat{number}").write_bytes(piece)
    whole = io.BytesIO(b"".join(pieces))
    parts = find(folder / "m.cat0")
    with parts.open() as file:
        assert file.seek(0, 2) == parts.size == whole.seek(0, 2)
        for offset, count in reads:
            assert file.seek(offset) == whole.seek(offset)
            assert file.read(count) == whole.read(count)
            assert file.tell() == whole.tell()


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
