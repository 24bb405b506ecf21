"""Layers of architectures that the engine is not started with here."""

from __future__ import annotations

import pytest

from runtime.errors import InputError
from runtime.fit.model_shape import ModelShape, model_shape
from runtime.gguf_header import Array, Header, Tensor, Value


def shape(arch: str, **keys: Value) -> ModelShape:
    usual: dict[str, Value] = {
        "block_count": 8,
        "embedding_length": 256,
        "attention.head_count": 8,
        "attention.head_count_kv": 2,
    }
    given = usual | {name.replace("__", "."): value for name, value in keys.items()}
    metadata: dict[str, Value] = {"general.architecture": arch}
    metadata |= {f"{arch}.{name}": value for name, value in given.items()}
    return model_shape([Header(3, metadata, [], 32, 0)])


def windowed(arch: str, **keys: Value) -> str:
    return "".join("w" if layer.windowed else "f" for layer in shape(arch, **keys).layers)


def test_windows_by_architecture() -> None:
    window = {"attention__sliding_window": 1024}
    assert windowed("llama", **window) == "ffffffff"
    assert windowed("phi3", **window) == "ffffffff"
    assert windowed("gemma2") == "wfwfwfwf"
    assert windowed("gemma3") == "ffffffff"
    assert windowed("gemma3", **window) == "wwwwwfww"
    assert windowed("gemma3", **window, attention__sliding_window_pattern=2) == "wfwfwfwf"
    assert windowed("gpt-oss", **window) == "wfwfwfwf"
    assert windowed("smallthinker", **window) == "fwwwfwww"
    assert windowed("exaone4", **window) == "ffffffff"
    stated = Array(8, (True, True, False, False, True, True, True, False))
    assert windowed("gemma4", **window, attention__sliding_window_pattern=stated) == "wwffwwwf"
    assert windowed("gemma2", attention__sliding_window_pattern=stated) == "wfwfwfwf"
    assert shape("llama4").window == 8192
    assert shape("llama4", attention__sliding_window=0).window == 0


def test_layers_that_share_or_keep_nothing() -> None:
    kept = [layer.key > 0 for layer in shape("gemma4", attention__shared_kv_layers=3).layers]
    assert kept == [True] * 5 + [False] * 3
    assert not any(layer.key for layer in shape("bert").layers)
    mixed = shape("qwen35", nextn_predict_layers=1, ssm__inner_size=64, ssm__state_size=16).layers
    assert [layer.key > 0 for layer in mixed] == [n == 3 for n in range(8)]
    assert [layer.state > 0 for layer in mixed] == [n not in (3, 7) for n in range(8)]


def test_an_array_of_another_length_is_no_fact() -> None:
    layers = shape("llama", attention__head_count_kv=Array(3, (1, 1, 1))).layers
    assert {layer.key for layer in layers} == {256}  # as many as heads


def test_weights_by_place() -> None:
    metadata: dict[str, Value] = {"general.architecture": "llama", "llama.block_count": 2}
    names = ("token_embd.weight", "blk.0.a", "blk.1.b", "blk.7.c", "output_norm.weight")
    tensors = [Tensor(name, (2**n,), 0, 0) for n, name in enumerate(names)]
    found = model_shape([Header(3, metadata, tensors, 32, 0)])
    assert [layer.weights for layer in found.layers] == [8, 16]
    assert (found.input_weights, found.output_weights) == (4 + 32, 64)
    assert found.copied_output == 4
    assert found.weights == sum(tensor.size or 0 for tensor in tensors)


@pytest.mark.parametrize("count", [513, 2**32 - 1, 2**63])
def test_more_layers_than_engines_take(count: int) -> None:
    with pytest.raises(InputError, match="layers"):
        shape("llama", block_count=count)
