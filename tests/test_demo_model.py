"""The committed demo model and its adapter: what their headers promise."""

from typing import Any

import gguf
import pytest
from helpers.repository import DEMO, LORA


def facts(reader: gguf.GGUFReader) -> dict[str, Any]:
    return {key: field.contents() for key, field in reader.fields.items()}


@pytest.fixture(scope="module")
def demo() -> gguf.GGUFReader:
    return gguf.GGUFReader(DEMO)


def test_is_small_and_says_what_it_is(demo: gguf.GGUFReader) -> None:
    assert 1_000_000 < DEMO.stat().st_size < 5_000_000
    known = facts(demo)
    assert known["general.architecture"] == "llama"
    assert known["general.name"] == "llamapack demo"
    assert known["general.license"] == "apache-2.0"
    assert known["llama.context_length"] == 1024
    assert "<|im_start|>" in known["tokenizer.chat_template"]


def test_special_tokens_are_in_the_vocabulary(demo: gguf.GGUFReader) -> None:
    known = facts(demo)
    tokens, kinds = known["tokenizer.ggml.tokens"], known["tokenizer.ggml.token_type"]
    assert tokens[known["tokenizer.ggml.eos_token_id"]] == "<|im_end|>"
    control = {token for token, kind in zip(tokens, kinds, strict=True) if kind == 3}
    assert control == {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}
    assert not known["tokenizer.ggml.add_bos_token"]


def test_every_row_fits_the_k_quantizations(demo: gguf.GGUFReader) -> None:
    assert all(tensor.shape[0] % 256 == 0 for tensor in demo.tensors)


def test_adapter_fits_the_model(demo: gguf.GGUFReader) -> None:
    adapter = gguf.GGUFReader(LORA)
    known = facts(adapter)
    assert (known["general.type"], known["adapter.type"]) == ("adapter", "lora")
    assert LORA.stat().st_size < 100_000
    bases = {tensor.name: tensor.shape for tensor in demo.tensors}
    parts = {tensor.name: tensor.shape for tensor in adapter.tensors}
    for name in {name.rsplit(".", 1)[0] for name in parts}:
        a, b = parts[f"{name}.lora_a"], parts[f"{name}.lora_b"]
        assert (a[0], b[1]) == tuple(bases[name])
        assert a[1] == b[0]
