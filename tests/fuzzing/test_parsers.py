"""What fuzzing begins with, what it has found, and that what it finds is told."""

from __future__ import annotations

import random

import pytest
from helpers.repository import REPOSITORY

from ci.fuzzing import agreement, native, parsers, seeds

HARNESSES = REPOSITORY / "ci" / "fuzzing" / "harness"


def inputs(kind: str) -> list[bytes]:
    """All seeds, each also cut off and with some bytes changed."""
    found = []
    for number, seed in enumerate(seeds.seeds(kind)):
        found += [seed, seed[: len(seed) // 2]]
        chance = random.Random(number)
        for _ in range(20 if seed else 0):
            changed = bytearray(seed)
            for _ in range(chance.randint(1, 3)):
                changed[chance.randrange(len(changed))] = chance.choice([0, 9, 34, 92, 127, 255])
            found.append(bytes(changed))
    return found


@pytest.mark.parametrize("name", parsers.PARSERS)
def test_readers_refuse_only_as_they_say(name: str) -> None:
    for data in inputs(parsers.PARSERS[name].seeds):
        parsers.take(name, data)


@pytest.mark.parametrize("name", parsers.PARSERS)
def test_a_seed_is_accepted(name: str) -> None:
    """A seed that is refused at once would lead nowhere."""
    parser = parsers.PARSERS[name]

    def accepted(data: bytes) -> bool:
        try:
            parser.take(data)
        except parser.refusals:
            return False
        return True

    assert any(map(accepted, seeds.seeds(parser.seeds))) or name in ("journal", "undo")


def test_what_a_reader_does_not_say_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(data: bytes) -> None:
        raise KeyError(data)

    monkeypatch.setitem(parsers.PARSERS, "zip", parsers.Parser(broken, "zip"))
    with pytest.raises(KeyError):
        parsers.take("zip", b"")


def test_every_kind_of_seed_is_small_and_used() -> None:
    fuzzers = (*parsers.PARSERS.values(), *native.HARNESSES.values())
    used = {one.seeds for one in fuzzers} | set(agreement.SEEDS.values())
    assert used == set(seeds.kinds())
    assert {path.name for path in seeds.FOUND.iterdir()} <= used
    assert sum(len(one) for kind in used for one in seeds.seeds(kind)) < 200_000


def test_every_harness_is_run() -> None:
    there = {path.stem for path in HARNESSES.glob("*.c*")} - {"main", "readers"}
    assert there == native.HARNESSES.keys()
