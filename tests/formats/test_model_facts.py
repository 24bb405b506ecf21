from __future__ import annotations

from pathlib import Path

import pytest
from gguf import GGUFWriter
from helpers.stand_ins import write_gguf

from runtime.formats.gguf_header import Header, Tensor, Value, read_header_of
from runtime.formats.model_facts import Shard, kind_of, model_facts, shard


def header(metadata: dict[str, Value], *tensors: tuple[int, int]) -> Header:
    rows = [Tensor(f"t{n}", (count,), kind, 0) for n, (kind, count) in enumerate(tensors)]
    return Header(3, metadata, rows, 32, 0)


def test_facts_of_a_model(gguf: Path) -> None:
    facts = model_facts([read_header_of(gguf)], gguf.stat().st_size)
    assert facts.architecture == "llama"
    assert facts.name == "Tiny"
    assert facts.parameters == 2 * 8 * 64
    assert facts.quantization == "Q8_0"
    assert facts.context_length == 2048
    assert facts.license == "apache-2.0"
    assert facts.chat_template
    assert facts.kind == "model"
    assert facts.size == gguf.stat().st_size


def test_what_is_not_stated_is_none() -> None:
    facts = model_facts([header({})], 24)
    assert (facts.architecture, facts.name, facts.license) == (None, None, None)
    assert (facts.parameters, facts.quantization, facts.context_length) == (None, None, None)
    assert not facts.chat_template


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, "model"),
        ({"general.type": "adapter", "general.architecture": "llama"}, "adapter"),
        ({"general.type": "mmproj", "general.architecture": "clip"}, "mmproj"),
        ({"general.architecture": "clip"}, "mmproj"),
        ({"general.type": "clip-vision", "general.architecture": "clip"}, "mmproj"),
    ],
)
def test_kinds(metadata: dict[str, Value], expected: str) -> None:
    assert kind_of(header(metadata)) == expected


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"general.file_type": 18}, "Q6_K"),
        ({"general.file_type": 18 | 1024}, "Q6_K"),
        ({"general.file_type": 999}, "Q4_K"),
        ({"general.file_type": "Q6_K"}, "Q4_K"),
        ({}, "Q4_K"),
    ],
)
def test_quantization_is_the_stated_one_or_that_of_most_weights(
    metadata: dict[str, Value], expected: str
) -> None:
    # The F32 tensors are fewer weights, but more bytes.
    assert model_facts([header(metadata, (0, 900), (12, 1024))], 0).quantization == expected


def test_a_stated_parameter_count_wins() -> None:
    facts = model_facts([header({"general.parameter_count": 7}, (0, 100))], 0)
    assert facts.parameters == 7


def test_shards(tmp_path: Path) -> None:
    parts = [
        write_gguf(tmp_path / f"x{n}.gguf", shard=(n, 2, 3), tensors=names)
        for n, names in enumerate((["a"], ["b", "c"]))
    ]
    headers = [read_header_of(part) for part in parts]
    assert [shard(h) for h in headers] == [Shard(0, 2, 3), Shard(1, 2, 3)]
    assert model_facts(headers, 0).parameters == 3 * 8 * 64


def test_a_model_in_one_file_is_no_shard(tmp_path: Path, gguf: Path) -> None:
    assert shard(read_header_of(gguf)) is None
    path = tmp_path / "one.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_uint16("split.count", 1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    assert shard(read_header_of(path)) is None
