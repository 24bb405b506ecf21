"""The GGUF header reader: against the `gguf` package, against damage, against large headers."""

# ruff: noqa: PT017 - damage may go unnoticed, so `pytest.raises` does not fit

from __future__ import annotations

import io
import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFReader, GGUFWriter
from helpers.stand_ins import write_gguf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.errors import InputError
from runtime.formats.gguf_header import ARRAY_KEPT, Array, Header, read_header, read_header_of

_SLOW_DISK = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60
)

_KEYS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=20)
_SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "uint8": st.integers(0, 255),
    "int8": st.integers(-128, 127),
    "uint16": st.integers(0, 65535),
    "int16": st.integers(-32768, 32767),
    "uint32": st.integers(0, 2**32 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "uint64": st.integers(0, 2**64 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "float32": st.floats(width=32, allow_nan=False),
    "float64": st.floats(allow_nan=False),
    "bool": st.booleans(),
    "string": st.text(st.characters(codec="utf-8"), min_size=1, max_size=50),
}
_PAIR = st.sampled_from(sorted(_SCALARS)).flatmap(
    lambda kind: st.tuples(st.just(kind), _SCALARS[kind])
)
_ARRAYS = st.one_of(
    st.lists(st.integers(0, 1000), min_size=1, max_size=200),
    st.lists(st.text(st.characters(codec="utf-8"), max_size=9), min_size=1, max_size=200),
)
_SHAPES = st.lists(st.integers(1, 5), min_size=1, max_size=4)


def string(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def header(
    *, version: int = 3, tensors: int = 0, pairs: int = 0, body: bytes = b"", order: str = "<"
) -> bytes:
    return struct.pack(f"{order}4sIQQ", b"GGUF", version, tensors, pairs) + body


def read(data: bytes) -> Header:
    return read_header(io.BytesIO(data), "model.gguf")


@_SLOW_DISK
@given(
    pairs=st.dictionaries(_KEYS, _PAIR, max_size=12),
    arrays=st.dictionaries(_KEYS.map("array.{}".format), _ARRAYS, max_size=4),
    shapes=st.lists(_SHAPES, min_size=1, max_size=6),
    alignment=st.sampled_from([None, 8, 32, 64, 4096]),
)
def test_reads_what_gguf_writes(
    tmp_path: Path,
    pairs: dict[str, tuple[str, Any]],
    arrays: dict[str, list[Any]],
    shapes: list[list[int]],
    alignment: int | None,
) -> None:
    path = tmp_path / "written.gguf"
    writer = GGUFWriter(path, "llama")
    if alignment:
        writer.add_custom_alignment(alignment)
    for key, (kind, value) in pairs.items():
        getattr(writer, f"add_{kind}")(key, value)
    for key, values in arrays.items():
        writer.add_array(key, values)
    for number, shape in enumerate(shapes):
        writer.add_tensor(f"t{number}", np.ones(shape, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    ours, theirs = read_header_of(path), GGUFReader(path)
    assert ours.alignment == theirs.alignment == (alignment or 32)
    assert ours.data_offset == theirs.data_offset
    for key, (_, value) in pairs.items():
        assert ours.metadata[key] == value
    for key, values in arrays.items():
        kept = tuple(values) if len(values) <= ARRAY_KEPT else None
        assert ours.metadata[key] == Array(len(values), kept)
    assert [
        (t.name, list(t.shape), t.type, t.size, ours.data_offset + t.offset) for t in ours.tensors
    ] == [
        (t.name, list(t.shape), int(t.tensor_type), t.n_bytes, t.data_offset)
        for t in theirs.tensors
    ]


@settings(deadline=None, max_examples=400)
@given(data=st.data())
def test_damage_is_refused_or_harmless(data: st.DataObject) -> None:
    raw = bytearray(_sound())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)))]
    try:
        found = read(bytes(raw))
    except InputError as problem:
        assert "model.gguf" in problem.message
        assert problem.tip
    else:
        assert found.version in (2, 3)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_after_the_magic_are_refused_or_harmless(noise: bytes) -> None:
    for start in (b"", b"GGUF", b"GGUF\x03\0\0\0"):
        try:
            read(start + noise)
        except InputError as problem:
            assert problem.tip


_SOUND: list[bytes] = []


def _sound() -> bytes:
    """A small file with every kind of field, made once."""
    if not _SOUND:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            _SOUND.append(write_gguf(Path(folder) / "sound.gguf", tokens=70).read_bytes())
    return _SOUND[0]


def test_every_truncation_is_refused() -> None:
    raw = _sound()
    read(raw)
    for length in range(0, len(raw), 7):
        with pytest.raises(InputError, match=r"truncated|empty|not a GGUF|damaged"):
            read(raw[:length])


def test_reads_a_gguf_inside_a_larger_file() -> None:
    raw = _sound()
    file = io.BytesIO(b"x" * 12345 + raw + b"y" * 100)
    assert read_header(file, "inner", 12345, len(raw)) == read(raw)
    with pytest.raises(InputError, match="truncated"):
        read_header(file, "inner", 12345, len(raw) - 64)


_TOO_MANY = b"\xff" * 8

_BAD = {
    "empty": (b"", "empty"),
    "not a GGUF": (b"PK\x03\x04" + bytes(60), "not a GGUF"),
    "Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
    "big-endian": (header(order=">"), "big-endian"),
    "version 0": (header(version=0), "version 0"),
    "version 1": (header(version=1), "version 1"),
    "version 4": (header(version=4), "version 4"),
    "absurd tensor count": (header(tensors=2**63), "claims"),
    "absurd pair count": (header(pairs=2**40), "claims"),
    "huge key": (header(pairs=1, body=struct.pack("<Q", 2**62) + bytes(99)), "truncated"),
    "long key": (header(pairs=1, body=string(b"k" * 70000) + bytes(99)), "too long"),
    "empty key": (header(pairs=1, body=string(b"") + bytes(99)), "empty"),
    "unknown value type": (header(pairs=1, body=string(b"k") + b"\x63" * 20), "unknown type"),
    "array of arrays": (
        header(pairs=1, body=string(b"k") + struct.pack("<IIQ", 9, 9, 1) + bytes(99)),
        "array of unknown type 9",
    ),
    "endless array": (
        header(pairs=1, body=string(b"k") + struct.pack("<IIQ", 9, 8, 2**61) + bytes(99)),
        "truncated",
    ),
    "key twice": (
        header(pairs=2, body=(string(b"k") + struct.pack("<IB", 0, 1)) * 2),
        "occurs twice",
    ),
    "odd alignment": (
        header(pairs=1, body=string(b"general.alignment") + struct.pack("<II", 4, 24)),
        "power of two",
    ),
    "five dimensions": (
        header(tensors=1, body=string(b"t") + struct.pack("<I", 5) + bytes(99)),
        "dimensions",
    ),
    "overflowing shape": (
        header(tensors=1, body=string(b"t") + struct.pack("<I2QIQ", 2, 2**40, 2**40, 0, 0)),
        "impossible shape",
    ),
    "partial block": (
        header(tensors=1, body=string(b"t") + struct.pack("<IQIQ", 1, 33, 8, 0) + bytes(99)),
        "not a multiple",
    ),
    "missing tensor data": (
        header(tensors=1, body=string(b"t") + struct.pack("<IQIQ", 1, 1024, 0, 0) + bytes(99)),
        "truncated",
    ),
}


@pytest.mark.parametrize("case", _BAD)
def test_refuses(case: str) -> None:
    data, message = _BAD[case]
    with pytest.raises(InputError, match=message) as caught:
        read(data)
    assert caught.value.message.startswith("model.gguf")
    assert caught.value.tip


def test_refuses_a_directory_and_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a directory"):
        read_header_of(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        read_header_of(tmp_path / "absent.gguf")


def test_a_tensor_type_of_the_future_is_read() -> None:
    body = string(b"t") + struct.pack("<IQIQ", 1, 7, 999, 0)
    (tensor,) = read(header(tensors=1, body=body + bytes(99))).tensors
    assert (tensor.type_name, tensor.size) == ("type 999", None)


def test_a_large_vocabulary_costs_little(tmp_path: Path) -> None:
    """6 MB of strings, as in a model of 2024; the `gguf` package takes seconds and 500 MB."""
    count = 400_000
    body = string(b"tokens") + struct.pack("<IIQ", 9, 8, count)
    path = tmp_path / "large.gguf"
    path.write_bytes(header(pairs=1, body=body + string(b"token-") * count))
    times = []
    for _ in range(5):
        start = time.process_time()
        found = read_header_of(path)
        times.append(time.process_time() - start)
    assert found.metadata["tokens"] == Array(count, None)
    assert min(times) < 0.3
    tracemalloc.start()
    read_header_of(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20
