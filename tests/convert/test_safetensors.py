"""Safetensors files: what is written can be read, and nothing else is believed."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packer.convert.safetensors import SIZES, New, read_header, write
from runtime.errors import InputError

_few = settings(deadline=None, max_examples=60)
_SMALL = st.integers(0, 5)


def _file(path: Path, header: object, data: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def test_the_layout_of_the_format(tmp_path: Path) -> None:
    """The example of the format's own description: JSON, then data, offsets from its end."""
    entry = {"dtype": "F16", "shape": [1, 2], "data_offsets": [0, 4]}
    path = _file(tmp_path / "x", {"__metadata__": {"a": "b"}, "t": entry}, b"\x00\x3c\x00\x40")
    tensors = read_header(path)
    assert list(tensors) == ["t"]
    assert np.frombuffer(tensors["t"].read(), "<f2").tolist() == [1.0, 2.0]
    assert np.frombuffer(tensors["t"].read(2, 2), "<f2").tolist() == [2.0]


@_few
@given(
    st.dictionaries(
        st.text(min_size=1).filter(lambda name: name != "__metadata__"),
        st.tuples(st.sampled_from(sorted(SIZES)), st.lists(_SMALL, max_size=3)),
        max_size=5,
    )
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, tensors: dict[str, tuple[str, list[int]]]
) -> None:
    path = tmp_path_factory.mktemp("written") / "x.safetensors"
    random = np.random.default_rng(1)
    contents = {
        name: random.bytes(int(np.prod(shape, dtype=int)) * SIZES[dtype])
        for name, (dtype, shape) in tensors.items()
    }
    new = [
        New(name, dtype, tuple(shape), [contents[name]]) for name, (dtype, shape) in tensors.items()
    ]
    write(path, new)
    found = read_header(path)
    assert {name: (t.dtype, list(t.shape)) for name, t in found.items()} == tensors
    assert {name: t.read() for name, t in found.items()} == contents


@_few
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "x"
    path.write_bytes(data)
    with suppress(InputError):
        read_header(path)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 50) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@_few
@given(_JSON, _JSON, _JSON)
def test_any_header_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, dtype: object, shape: object, offsets: object
) -> None:
    entry = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
    path = _file(tmp_path_factory.mktemp("any") / "x", {"t": entry}, bytes(20))
    with suppress(InputError):
        found = read_header(path)["t"]
        assert len(found.read()) == found.size <= 20


@pytest.mark.parametrize(
    ("shape", "offsets"), [([3], [0, 8]), ([2], [0, 9]), ([2], [4, 12]), ([-2], [0, 8])]
)
def test_lies_about_sizes(tmp_path: Path, shape: list[int], offsets: list[int]) -> None:
    entry = {"dtype": "F32", "shape": shape, "data_offsets": offsets}
    with pytest.raises(InputError, match="safetensors"):
        read_header(_file(tmp_path / "x", {"t": entry}, bytes(8)))
