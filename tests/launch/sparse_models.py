"""GGUF files of several architectures whose weights are a hole: they take no space on the disk, and
the engine loads them as it would the real ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from gguf import GGUFReader, GGUFValueType, GGUFWriter
from helpers.repository import DEMO

Shapes = dict[str, tuple[int, ...]]
Value = int | float | list[int] | list[bool]


def write_sparse(path: Path, arch: str, metadata: Mapping[str, Value], tensors: Shapes) -> Path:
    """A model of that architecture with the demo model's tokenizer; tensors are of zeros, F32.

    Args:
        metadata: without the architecture in front of the keys.
        tensors: shapes with the fastest-varying dimension first, as in llama.cpp's sources.
    """
    writer = GGUFWriter(path, arch)
    _add_tokenizer(writer)
    for key, value in metadata.items():
        name = f"{arch}.{key}"
        if isinstance(value, list):
            writer.add_array(name, value)
        elif isinstance(value, float):
            writer.add_float32(name, value)
        else:
            writer.add_uint32(name, value)
    size = 0
    for name, shape in tensors.items():
        count = int(np.prod(shape)) * 4
        writer.add_tensor_info(name, shape[::-1], np.dtype(np.float32), count)
        size += -(-count // 32) * 32
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    with path.open("r+b") as file:
        start = -(-file.seek(0, 2) // 32) * 32
        file.truncate(start + size)
    return path


def _add_tokenizer(writer: GGUFWriter) -> None:
    for name, field in GGUFReader(DEMO).fields.items():
        if not name.startswith("tokenizer.") or name == "tokenizer.chat_template":
            continue
        kind = field.types[0]
        sub = field.types[-1] if kind == GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), kind, sub)


VOCABULARY = 768  # tokens of the demo model
COMMON: dict[str, Value] = {
    "context_length": 32768,
    "attention.layer_norm_rms_epsilon": 1e-5,
}
BOTH_ENDS: Shapes = {"token_embd.weight": (256, VOCABULARY), "output_norm.weight": (256,)}


def layers(count: int, tensors: str) -> Shapes:
    """Tensors such as `attn_norm:256 attn_q:256x64` in each layer; a name without a dot gets
    `.weight`, and one that ends in a dot nothing."""
    shapes: Shapes = {}
    for n in range(count):
        for name, _, shape in (tensor.partition(":") for tensor in tensors.split()):
            ending = "" if "." in name else ".weight"
            shapes[f"blk.{n}.{name.rstrip('.')}{ending}"] = tuple(map(int, shape.split("x")))
    return shapes


def dense(count: int, head: int, heads: int, heads_kv: int, norm: str = "ffn_norm") -> Shapes:
    """Tensors of a usual model."""
    keys = f"256x{head * heads_kv}"
    return BOTH_ENDS | layers(
        count,
        f"attn_norm:256 attn_q:256x{head * heads} attn_k:{keys} attn_v:{keys} "
        f"attn_output:{head * heads}x256 {norm}:256 ffn_gate:256x512 ffn_up:256x512 "
        "ffn_down:512x256",
    )


def _attention(count: int, heads: int, heads_kv: int, head: int) -> dict[str, Value]:
    return COMMON | {
        "block_count": count,
        "embedding_length": 256,
        "feed_forward_length": 512,
        "attention.head_count": heads,
        "attention.head_count_kv": heads_kv,
        "attention.key_length": head,
        "attention.value_length": head,
    }


def llama(path: Path) -> Path:
    """Grouped queries."""
    metadata = _attention(3, 8, 2, 32) | {"rope.dimension_count": 32}
    return write_sparse(path, "llama", metadata, dense(3, 32, 8, 2))


def gemma3(path: Path) -> Path:
    """Five of six layers look back over a window."""
    norms = "post_attention_norm:256 post_ffw_norm:256 attn_q_norm:64 attn_k_norm:64"
    metadata = _attention(7, 4, 1, 64) | {"attention.sliding_window": 1024}
    return write_sparse(path, "gemma3", metadata, dense(7, 64, 4, 1) | layers(7, norms))


def falcon_h1(path: Path) -> Path:
    """A state in addition to the cache in every layer."""
    metadata = _attention(2, 4, 2, 64) | {
        "ssm.conv_kernel": 4,
        "ssm.inner_size": 256,
        "ssm.state_size": 32,
        "ssm.time_step_rank": 8,
        "ssm.group_count": 1,
    }
    state = (
        f"ssm_in:256x{256 + 320 + 8} ssm_conv1d:4x320 ssm_conv1d.bias:320 ssm_dt.bias:8 "
        "ssm_a.:1x8 ssm_d.:1x8 ssm_out:256x256"
    )
    tensors = dense(2, 64, 4, 2, norm="ffn_norm.") | layers(2, state)
    return write_sparse(path, "falcon-h1", metadata, tensors)


def deepseek2(path: Path) -> Path:
    """Multi-head latent attention: keys alone, compressed."""
    count, heads, nope, rope, rank = 3, 4, 32, 16, 64
    metadata = _attention(count, heads, 1, rank + rope) | {
        "attention.value_length": rank,
        "attention.key_length_mla": nope + rope,
        "attention.value_length_mla": nope,
        "attention.kv_lora_rank": rank,
        "attention.q_lora_rank": 48,
        "rope.dimension_count": rope,
        "leading_dense_block_count": count,
        "expert_feed_forward_length": 64,
        "expert_shared_count": 1,
    }
    tensors = BOTH_ENDS | layers(
        count,
        f"attn_norm:256 attn_q_a_norm:48 attn_kv_a_norm:{rank} attn_q_a:256x48 "
        f"attn_q_b:48x{heads * (nope + rope)} attn_kv_a_mqa:256x{rank + rope} "
        f"attn_k_b:{nope}x{rank}x{heads} attn_v_b:{rank}x{nope}x{heads} "
        f"attn_output:{heads * nope}x256 ffn_norm:256 ffn_gate:256x512 ffn_down:512x256 "
        "ffn_up:256x512",
    )
    return write_sparse(path, "deepseek2", metadata, tensors)


MAKERS = [llama, gemma3, falcon_h1, deepseek2]
