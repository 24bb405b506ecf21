"""The most expensive GGUF headers that are read at all cost little."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.costs import cheap

_READ = (
    "from pathlib import Path; from runtime.errors import InputError\n"
    "from runtime.formats.gguf_header import read_header_of\n"
    "try: header = read_header_of(Path(sys.argv[1]))\n"
    "except InputError as problem: print(problem.message)\n"
    "else: print('read', len(header.tensors), len(header.metadata))"
)


def _string(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def _start(tensors: int, pairs: int) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, pairs)


def _tensors(count: int) -> Iterator[bytes]:
    yield _start(count, 0)
    for n in range(count):
        name = _string(b"%d" % n)
        yield name + struct.pack("<I4QIQ", 4, 1, 1, 1, 1, 24, 0)
    yield bytes(64)


def _pairs(count: int, value: bytes) -> Iterator[bytes]:
    yield _start(0, count)
    for n in range(count):
        yield _string(b"%d" % n) + value
    yield bytes(64)


def _array(kind: int, count: int, values: bytes) -> bytes:
    return struct.pack("<IIQ", 9, kind, count) + values


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        (_tensors(1 << 16), "read 65536 0"),
        (_tensors(1_000_000), "claims 1,000,000 tensors"),
        (_pairs(1 << 16, struct.pack("<IB", 0, 1)), "read 0 65536"),
        (_pairs(1_000_000, struct.pack("<IB", 0, 1)), "claims 1,000,000 metadata pairs"),
        (_pairs(1000, _array(10, 512, b"\xee" * 4096)), "read 0 1000"),
        (_pairs(60_000, _array(0, 512, bytes(512))), "too many values"),
        (_pairs(1000, _array(8, 512, bytes(4096))), "read 0 1000"),
        (_pairs(1, _array(8, 1 << 23, bytes(8 << 23))), "read 0 1"),
        (_pairs(9, _array(8, 1 << 21, bytes(8 << 21))), "more strings"),
    ],
)
def test_costs(tmp_path: Path, pieces: Iterator[bytes], said: str) -> None:
    path = tmp_path / "x.gguf"
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)
    assert said in cheap(_READ, path).stdout
