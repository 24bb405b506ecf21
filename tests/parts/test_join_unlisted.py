"""Parts without a list of hashes, damaged at random: a clear error or the bytes as they are."""

from __future__ import annotations

import random

import pytest
from helpers.part_sets import large_bundle
from helpers.stand_ins import CommandLine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packer.io.copy import Nowhere
from packer.parts.joining import check, check_first
from runtime.errors import InputError
from runtime.formats.parts import find


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("made")
    return large_bundle(folder, CommandLine(folder), 100_000).read_bytes()


_DAMAGE = st.one_of(
    st.tuples(st.just("flip"), st.integers(0, 1 << 20)),
    st.tuples(st.just("flip near the end"), st.integers(1, 2000)),
    st.tuples(st.just("cut"), st.integers(0, 1 << 20)),
    st.tuples(st.just("insert"), st.integers(0, 1 << 20)),
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1000, 200_000), st.lists(_DAMAGE, max_size=3), st.booleans(), st.randoms())
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
