"""How parts are found by their names, and read as one file."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
