"""A vision projector of random numbers: sees nothing, but is one that the engine loads."""

from __future__ import annotations

import base64
import struct
import zlib
from pathlib import Path

import numpy as np
from gguf import GGUFWriter

_WIDTH, _FEED_FORWARD, _IMAGE, _PATCH = 32, 64, 28, 14


def write_projector(path: Path, embedding: int) -> Path:
    """The projector of a LLaVA, for a language model with embeddings of this length."""
    writer = GGUFWriter(path, "clip")
    writer.add_type("mmproj")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_bool("clip.use_gelu", True)
    writer.add_string("clip.projector_type", "mlp")
    for key, number in (
        ("image_size", _IMAGE),
        ("patch_size", _PATCH),
        ("embedding_length", _WIDTH),
        ("feed_forward_length", _FEED_FORWARD),
        ("projection_dim", embedding),
        ("block_count", 2),
        ("attention.head_count", 2),
    ):
        writer.add_uint32(f"clip.vision.{key}", number)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    writer.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    writer.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])

    random = np.random.default_rng(7)

    def add(name: str, *shape: int) -> None:
        writer.add_tensor(name, random.standard_normal(shape, dtype=np.float32) / 4)

    add("v.class_embd", _WIDTH)
    add("v.patch_embd.weight", _WIDTH, 3, _PATCH, _PATCH)
    add("v.position_embd.weight", (_IMAGE // _PATCH) ** 2 + 1, _WIDTH)
    for part in ("v.pre_ln", *(f"v.blk.{n}.ln{k}" for n in (0, 1) for k in (1, 2))):
        add(f"{part}.weight", _WIDTH)
        add(f"{part}.bias", _WIDTH)
    for layer in (0, 1):
        for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
            add(f"v.blk.{layer}.{part}.weight", _WIDTH, _WIDTH)
            add(f"v.blk.{layer}.{part}.bias", _WIDTH)
        add(f"v.blk.{layer}.ffn_up.weight", _FEED_FORWARD, _WIDTH)
        add(f"v.blk.{layer}.ffn_up.bias", _FEED_FORWARD)
        add(f"v.blk.{layer}.ffn_down.weight", _WIDTH, _FEED_FORWARD)
        add(f"v.blk.{layer}.ffn_down.bias", _WIDTH)
    add("mm.0.weight", embedding, _WIDTH)
    add("mm.0.bias", embedding)
    add("mm.2.weight", embedding, embedding)
    add("mm.2.bias", embedding)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def picture(red: int, green: int, blue: int) -> str:
    """A PNG of one colour as a data URL."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    row = b"\0" + bytes((red, green, blue)) * _IMAGE
    png = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", _IMAGE, _IMAGE, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(row * _IMAGE))
        + chunk(b"IEND", b"")
    )
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
