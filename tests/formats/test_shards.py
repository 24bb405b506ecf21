"""Names of shards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.formats.weights import ShardName, model_stem, shard_names


@given(st.text(min_size=1), st.integers(1, 99))
def test_names_are_read_as_they_are_written(stem: str, count: int) -> None:
    names = shard_names(stem, count)
    assert [ShardName.of(name) for name in names] == [
        ShardName(stem, number, count) for number in range(1, count + 1)
    ]
    assert {model_stem(name) for name in names} == {stem}


@pytest.mark.parametrize(
    "name", ["x.gguf", "-00001-of-00002.gguf", "x-1-of-2.gguf", "x-00001-of-00002.GGUF"]
)
def test_other_names(name: str) -> None:
    assert ShardName.of(name) is None
    assert model_stem(name) == name.removesuffix(".gguf")
