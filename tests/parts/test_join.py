"""`llamapack join` with and without `--in-place`: the same bytes, and what is wrong is named."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.part_sets import large_bundle, names, sha256sum, split
from helpers.stand_ins import CommandLine, Refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packer.io.copy import Nowhere
from packer.parts.joining import check, check_first
from runtime.errors import InputError
from runtime.formats.parts import find


@pytest.fixture(params=[[], ["--in-place"]], ids=["copy", "in-place"])
def how(request: pytest.FixtureRequest) -> list[str]:
    words: list[str] = request.param
    return words


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """A bundle and its parts, which tests only copy."""
    folder = tmp_path_factory.mktemp("made")
    llamapack = CommandLine(folder)
    whole = large_bundle(folder, llamapack, 1_200_000)
    parts = split(llamapack, whole, folder / "parts")
    assert len(parts) == 4
    return whole, parts


@pytest.fixture
def whole(made: tuple[Path, list[Path]]) -> Path:
    return made[0]


@pytest.fixture
def parts(made: tuple[Path, list[Path]], tmp_path: Path) -> list[Path]:
    shutil.copytree(made[1][0].parent, tmp_path / "parts")
    return [tmp_path / "parts" / part.name for part in made[1]]


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize(
    ("spelling", "named"), [("m.llamafile.cat{}", 0), ("m.cat{}.llamafile", 2)], ids=str
)
def test_join(  # noqa: PLR0917
    how: list[str], spelling: str, named: int, listed: bool, whole: Path, parts: list[Path],
    llamapack: CommandLine,
) -> None:  # fmt: skip
    folder = parts[0].parent
    listing = folder / "m.llamafile.sha256"
    for number, part in enumerate(parts):
        other = spelling.format(number)
        listing.write_text(listing.read_text().replace(part.name, other))
        parts[number] = part.rename(folder / other)
    if not listed:
        listing.unlink()
    done = llamapack("join", *how, parts[named])
    assert (done.returncode, done.stdout) == (0, f"{folder / 'm.llamafile'}\n"), done.stderr
    assert (folder / "m.llamafile").read_bytes() == whole.read_bytes()
    assert (folder / "m.llamafile").stat().st_mode & 0o777 == 0o755
    left = [] if how else [part.name for part in parts]
    assert names(folder) == sorted(["m.llamafile", "m.llamafile.sha256", *left])
    assert sha256sum(folder) == [*(left if listed else []), "m.llamafile"]
    llamapack.ran("verify", folder / "m.llamafile")


def test_where_it_goes(  # noqa: PLR0917
    how: list[str], whole: Path, parts: list[Path], tmp_path: Path, llamapack: CommandLine,
    refused: Refused,
) -> None:  # fmt: skip
    target = tmp_path / "target"
    target.mkdir()
    folder = parts[0].parent
    (folder / "m.llamafile").write_text("precious")
    assert "exists already" in refused(llamapack("join", *how, parts[0]))
    other = tmp_path / "other.cat0"
    assert "not parts of one file" in refused(llamapack("join", *how, parts[0], other))
    done = llamapack("join", *how, *parts, "-o", target)
    assert done.stdout == f"{target / 'm.llamafile'}\n", done.stderr
    assert (target / "m.llamafile").read_bytes() == whole.read_bytes()
    assert sha256sum(target) == ["m.llamafile"]
    assert (folder / "m.llamafile").read_text() == "precious"
    if how:
        assert names(folder) == ["m.llamafile"]
        # Run again, it has nothing left to do.
        done = llamapack.ran("join", *how, *parts, "-o", target)
        assert "joined already" in done.stderr
        assert "were checked" not in done.stderr


def test_force_replaces(how: list[str], whole: Path, parts: list[Path], llamapack: CommandLine):
    output = parts[0].with_name("m.llamafile")
    output.write_text("old")
    llamapack.ran("join", *how, parts[0], "--force")
    assert output.read_bytes() == whole.read_bytes()


def flip(part: Path, offset: int = 1000) -> None:
    data = bytearray(part.read_bytes())
    data[offset] ^= 16
    part.write_bytes(data)


def swap(first: Path, second: Path) -> None:
    aside = first.rename(first.with_name("aside"))
    second.rename(first)
    aside.rename(second)


_DAMAGE: dict[str, tuple[Callable[[list[Path]], object], list[int], str, str]] = {
    # What happens, the parts that are named, and what is said with a list of hashes and without.
    "missing first": (lambda p: p[0].unlink(), [0], "missing", "missing"),
    "missing middle": (lambda p: p[2].unlink(), [2], "missing", "missing"),
    "missing last": (lambda p: p[3].unlink(), [3], "missing", "no ZIP end record"),
    "missing two": (lambda p: (p[1].unlink(), p[3].unlink()), [1], "missing", "missing"),
    "truncated first": (lambda p: os.truncate(p[0], 399_999), [0], "399,999", "ZIP"),
    "truncated middle": (lambda p: os.truncate(p[1], 7), [1], "(7 bytes)", "ZIP"),
    "emptied middle": (lambda p: os.truncate(p[1], 0), [1], "(0 bytes)", "ZIP"),
    "truncated last": (lambda p: os.truncate(p[3], 1000), [3], "cut off", "no ZIP end record"),
    "longer": (lambda p: p[2].write_bytes(p[2].read_bytes() + b"x"), [2], "400,001", "ZIP"),
    "swapped": (lambda p: swap(p[1], p[2]), [1, 2], "belongs into", "swapped"),
    "swapped first": (lambda p: swap(p[0], p[1]), [0, 1], "belongs into", "swapped"),
    "swapped last": (lambda p: swap(p[2], p[3]), [2, 3], "belongs into", "no ZIP end record"),
    "flipped head": (lambda p: flip(p[0]), [0], "damaged", "damaged or swapped: head"),
    "flipped first": (lambda p: flip(p[0], 390_000), [0], "damaged", "damaged"),
    "flipped middle": (lambda p: flip(p[2]), [2], "damaged", "damaged"),
    "flipped last": (lambda p: flip(p[3]), [3], "damaged", "damaged"),
    "flipped directory": (lambda p: flip(p[3], -100), [3], "damaged", "damaged"),
    "flipped two": (lambda p: (flip(p[1]), flip(p[3])), [1, 3], "damaged", "damaged"),
}


@pytest.mark.parametrize("listed", [True, False], ids=["listed", "unlisted"])
@pytest.mark.parametrize("case", _DAMAGE)
def test_damage_is_named(  # noqa: PLR0917
    case: str, listed: bool, how: list[str], parts: list[Path], llamapack: CommandLine,
    refused: Refused,
) -> None:  # fmt: skip
    damage, named, with_list, without = _DAMAGE[case]
    folder = parts[0].parent
    damage(parts)
    if not listed:
        (folder / "m.llamafile.sha256").unlink()
    before = {path: path.read_bytes() for path in folder.iterdir()}
    given = parts[1] if parts[1].exists() else parts[0]
    done = llamapack("join", *how, given)
    error = refused(done)
    assert (with_list if listed else without) in error
    if listed or without == "missing":
        assert all(parts[number].name in error for number in named)
        assert "flipped" not in case or sum(p.name in error for p in parts) == len(named)
    else:
        assert str(parts[0].with_name("m.llamafile")) in error
        assert "TIP Download the parts again, and m.llamafile.sha256" in done.stderr
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_any_file_that_has_hashes_is_joined(
    how: list[str], tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    """It need not be a ZIP; without hashes there is nothing that says what its bytes should be."""
    data = os.urandom(100_000)
    (tmp_path / "x.bin").write_bytes(data)
    parts = split(llamapack, tmp_path / "x.bin", tmp_path / "parts", "30kB")
    copy = tmp_path / "copy"
    shutil.copytree(parts[0].parent, copy)
    llamapack.ran("join", *how, parts[0])
    assert parts[0].with_name("x.bin").read_bytes() == data
    (copy / "x.bin.sha256").unlink()
    assert "no ZIP end record" in refused(llamapack("join", *how, copy / "x.bin.cat0"))
    (copy / "x.bin.sha256").write_text("<html>")
    assert "not a list of SHA-256" in refused(llamapack("join", *how, copy / "x.bin.cat0"))


def test_a_list_of_the_whole_file_alone(
    how: list[str], whole: Path, parts: list[Path], llamapack: CommandLine, refused: Refused
) -> None:
    listing = parts[0].with_name("m.llamafile.sha256")
    listing.write_text(f"{'0' * 64}  m.llamafile\n")
    assert "would not have the SHA-256 000" in refused(llamapack("join", *how, parts[0]))
    assert names(listing.parent) == sorted([listing.name, *(part.name for part in parts)])


def test_refusals(how: list[str], tmp_path: Path, llamapack: CommandLine, refused: Refused) -> None:
    assert "does not exist" in refused(llamapack("join", *how, tmp_path / "m.llamafile.cat0"))
    assert "not have the name of a part" in refused(
        llamapack("join", *how, tmp_path / "m.llamafile")
    )
    (tmp_path / "m.cat0").mkdir()
    assert "not a regular file" in refused(llamapack("join", *how, tmp_path / "m.cat0"))


def test_too_little_space(parts: list[Path], llamapack: CommandLine, refused: Refused) -> None:
    """A second copy of holes of a petabyte; known before anything is written."""
    try:
        for part in parts[:2]:
            os.truncate(part, 10 << 40)
    except OSError as problem:
        pytest.skip(f"SKIPPED LOUDLY: no sparse file of 10 TiB here: {problem}")
    listing = parts[0].with_name("m.llamafile.sha256")
    listing.unlink()
    data = parts[3].read_bytes()
    for part in parts[2:]:
        part.unlink()
    parts[1].with_name("m.llamafile.cat2").write_bytes(
        data[: data.rindex(b"PK\5\6")] + end64((20 << 40) + data.rindex(b"PK\5\6"))
    )
    assert "no space" in refused(llamapack("join", parts[0]))


def end64(offset: int) -> bytes:
    """End records of an empty directory at `offset`."""
    from runtime.formats.zip_directory import END, END64, END64_MAGIC, END_MAGIC, LOCATOR64
    from runtime.formats.zip_directory import LOCATOR64_MAGIC as LOCATOR_MAGIC

    wide = END64.pack(END64_MAGIC, END64.size - 12, 45, 45, 0, 0, 0, 0, 0, offset)
    locator = LOCATOR64.pack(LOCATOR_MAGIC, 0, offset, 1)
    return wide + locator + END.pack(END_MAGIC, 0, 0, 0, 0, 0, (1 << 32) - 1, 0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("made")
    return large_bundle(folder, CommandLine(folder), 100_000).read_bytes()


_ANY_DAMAGE = st.one_of(
    st.tuples(st.just("flip"), st.integers(0, 1 << 20)),
    st.tuples(st.just("flip near the end"), st.integers(1, 2000)),
    st.tuples(st.just("cut"), st.integers(0, 1 << 20)),
    st.tuples(st.just("insert"), st.integers(0, 1 << 20)),
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1000, 200_000), st.lists(_ANY_DAMAGE, max_size=3), st.booleans(), st.randoms())
def test_damage_at_random(  # noqa: PLR0917
    tmp_path_factory: pytest.TempPathFactory,
    data: bytes,
    size: int,
    damage: list[tuple[str, int]],
    shuffle: bool,
    randomly: random.Random,
) -> None:
    pieces = [bytearray(data[start : start + size]) for start in range(0, len(data), size)]
    for what, place in damage:
        piece = pieces[place // size % len(pieces)]
        if what == "flip near the end":
            piece = pieces[-1]
            place = -min(place, len(piece))  # noqa: PLW2901
        if not piece:
            continue
        if what.startswith("flip"):
            piece[place % len(piece)] ^= 1 << (place % 8)
        elif what == "cut":
            del piece[place % len(piece) :]
        else:
            piece[place % len(piece) : 0] = b"inserted"
    if shuffle:
        randomly.shuffle(pieces)
    folder = tmp_path_factory.mktemp("parts")
    for number, piece in enumerate(pieces):
        (folder / f"m.cat{number}").write_bytes(piece)
    joined = b"".join(pieces)
    parts = find(folder / "m.cat0")
    found: InputError | None = None
    try:
        check_first(parts, {})
        check(parts, {}, Nowhere(), lambda _: None)
    except InputError as problem:
        found = problem
    if found:
        assert joined != data
        assert str(folder / "m") in found.message
        assert found.tip
    else:
        # What no member covers (gaps, names of fields in headers) may differ unseen.
        assert len(joined) == len(data)
        assert sum(a != b for a, b in zip(joined, data, strict=True)) <= len(damage)
