"""GGUF files of several architectures whose weights are a hole: they take no space on the disk, and
the engine loads them as it would the real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def dense(head: int, heads: int, heads_kv: Sequence[int]) -> Shapes:
    """Tensors of a usual model; `heads_kv` is per layer."""
    embedding, feed_forward = 256, 512
    shapes: Shapes = {
        "token_embd.weight": (embedding, VOCABULARY),
        "output_norm.weight": (embedding,),
    }
    for n in range(len(heads_kv)):
        block = f"blk.{n}."
        shapes |= {
            f"{block}attn_norm.weight": (embedding,),
            f"{block}attn_q.weight": (embedding, head * heads),
            f"{block}attn_k.weight": (embedding, head * heads_kv[n]),
            f"{block}attn_v.weight": (embedding, head * heads_kv[n]),
            f"{block}attn_output.weight": (head * heads, embedding),
            f"{block}ffn_norm.weight": (embedding,),
            f"{block}ffn_gate.weight": (embedding, feed_forward),
            f"{block}ffn_up.weight": (embedding, feed_forward),
            f"{block}ffn_down.weight": (feed_forward, embedding),
        }
    return shapes


def _each(layers: int, **shapes: tuple[int, ...]) -> Shapes:
    return {
        f"blk.{n}.{name.replace('__', '.')}": shape
        for n in range(layers)
        for name, shape in shapes.items()
    }


def _attention(layers: int, heads: int, heads_kv: int, head: int) -> dict[str, Value]:
    return {
        "block_count": layers,
        "embedding_length": 256,
        "feed_forward_length": 512,
        "attention.head_count": heads,
        "attention.head_count_kv": heads_kv,
        "attention.key_length": head,
        "attention.value_length": head,
    }


def llama(path: Path) -> Path:
    """Grouped queries."""
    metadata = COMMON | _attention(3, 8, 2, 32) | {"rope.dimension_count": 32}
    return write_sparse(path, "llama", metadata, dense(32, 8, [2] * 3))


def gemma3(path: Path) -> Path:
    """Five of six layers look back over a window."""
    norms = _each(
        7,
        post_attention_norm__weight=(256,),
        post_ffw_norm__weight=(256,),
        attn_q_norm__weight=(64,),
        attn_k_norm__weight=(64,),
    )
    metadata = COMMON | _attention(7, 4, 1, 64) | {"attention.sliding_window": 1024}
    return write_sparse(path, "gemma3", metadata, dense(64, 4, [1] * 7) | norms)


def falcon_h1(path: Path) -> Path:
    """A state beside the cache in every layer."""
    metadata = COMMON | _attention(2, 4, 2, 64)
    metadata |= {
        "ssm.conv_kernel": 4,
        "ssm.inner_size": 256,
        "ssm.state_size": 32,
        "ssm.time_step_rank": 8,
        "ssm.group_count": 1,
    }
    tensors = dense(64, 4, [2] * 2)
    tensors = {
        name.replace("ffn_norm.weight", "ffn_norm"): shape for name, shape in tensors.items()
    }
    tensors |= _each(
        2,
        ssm_in__weight=(256, 256 + 320 + 8),
        ssm_conv1d__weight=(4, 320),
        ssm_conv1d__bias=(320,),
        ssm_dt__bias=(8,),
        ssm_a=(1, 8),
        ssm_d=(1, 8),
        ssm_out__weight=(256, 256),
    )
    return write_sparse(path, "falcon-h1", metadata, tensors)


def deepseek2(path: Path) -> Path:
    """Multi-head latent attention: keys alone, compressed."""
    layers, heads, nope, rope, rank = 3, 4, 32, 16, 64
    metadata = COMMON | _attention(layers, heads, 1, rank + rope)
    metadata |= {
        "attention.value_length": rank,
        "attention.key_length_mla": nope + rope,
        "attention.value_length_mla": nope,
        "attention.kv_lora_rank": rank,
        "attention.q_lora_rank": 48,
        "rope.dimension_count": rope,
        "leading_dense_block_count": layers,
        "expert_feed_forward_length": 64,
        "expert_shared_count": 1,
    }
    tensors: Shapes = {"token_embd.weight": (256, VOCABULARY), "output_norm.weight": (256,)}
    tensors |= _each(
        layers,
        attn_norm__weight=(256,),
        attn_q_a_norm__weight=(48,),
        attn_kv_a_norm__weight=(rank,),
        attn_q_a__weight=(256, 48),
        attn_q_b__weight=(48, heads * (nope + rope)),
        attn_kv_a_mqa__weight=(256, rank + rope),
        attn_k_b__weight=(nope, rank, heads),
        attn_v_b__weight=(rank, nope, heads),
        attn_output__weight=(heads * nope, 256),
        ffn_norm__weight=(256,),
        ffn_gate__weight=(256, 512),
        ffn_down__weight=(512, 256),
        ffn_up__weight=(256, 512),
    )
    return write_sparse(path, "deepseek2", metadata, tensors)


MAKERS = [llama, gemma3, falcon_h1, deepseek2]
