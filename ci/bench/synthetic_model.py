"""A llama model of random weights, for speed only: it says nothing that makes sense."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType, quants

_VOCABULARY = 32000


@dataclass(frozen=True)
class Shape:
    layers: int
    width: int
    heads: int
    feed_forward: int


MILLION_400 = Shape(layers=24, width=1024, heads=16, feed_forward=2816)
"""About 370 million parameters, 390 MB in Q8_0."""

BILLION_1 = Shape(layers=20, width=2048, heads=32, feed_forward=5632)
"""About 1.2 billion parameters, 1.2 GB in Q8_0."""

BILLION_7 = Shape(layers=32, width=4096, heads=32, feed_forward=11008)
"""About 6.7 billion parameters, 7.2 GB in Q8_0."""


def write(path: Path, shape: Shape = MILLION_400) -> Path:
    """Write the model in Q8_0. The same call gives the same bytes."""
    writer = GGUFWriter(path, "llama")
    writer.add_name("synthetic")
    writer.add_file_type(LlamaFileType.MOSTLY_Q8_0)
    writer.add_context_length(4096)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(_VOCABULARY)
    writer.add_tokenizer_model("none")
    random = np.random.default_rng(1)

    def matrix(name: str, rows: int, columns: int) -> None:
        data = random.standard_normal((rows, columns), dtype=np.float32) * 0.02
        packed = quants.quantize(data, GGMLQuantizationType.Q8_0)
        writer.add_tensor(f"{name}.weight", packed, raw_dtype=GGMLQuantizationType.Q8_0)

    def norm(name: str) -> None:
        writer.add_tensor(f"{name}.weight", np.ones(shape.width, dtype=np.float32))

    matrix("token_embd", _VOCABULARY, shape.width)
    matrix("output", _VOCABULARY, shape.width)
    norm("output_norm")
    for layer in range(shape.layers):
        block = f"blk.{layer}"
        norm(f"{block}.attn_norm")
        norm(f"{block}.ffn_norm")
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            matrix(f"{block}.{name}", shape.width, shape.width)
        matrix(f"{block}.ffn_gate", shape.feed_forward, shape.width)
        matrix(f"{block}.ffn_up", shape.feed_forward, shape.width)
        matrix(f"{block}.ffn_down", shape.width, shape.feed_forward)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
