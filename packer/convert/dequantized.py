"""A checkpoint of bitsandbytes as one that upstream's converter reads: the same, in 16 bits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packer.convert.bitsandbytes import EightBit, FourBit
from packer.convert.checkpoint import CONFIG, Checkpoint
from packer.convert.safetensors import SIZES, New, Stored, write
from packer.io.console import Advance, progress
from runtime.errors import InputError

_INDEX = "model.safetensors.index.json"
_DTYPES = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}


def dequantized_size(checkpoint: Checkpoint) -> int:
    """Bytes that `dequantize` writes."""
    return sum(new.size for shard in _shards(checkpoint).values() for new in shard)


def dequantize(checkpoint: Checkpoint, folder: Path) -> Checkpoint:
    """Write the weights as numbers into a new folder, shard by shard and piece by piece.

    Raises:
        InputError: the checkpoint is damaged.
    """
    folder.mkdir()
    shards = _shards(checkpoint)
    total = sum(new.size for shard in shards.values() for new in shard)
    with progress(f"dequantizing {checkpoint.name}", total) as advance:
        for path, tensors in shards.items():
            write(folder / path.name, [_told(new, advance) for new in tensors])
    checkpoint.link(folder, weights=False)
    _replace(folder / _INDEX, _index(shards))
    _replace(folder / CONFIG, _plain_config(checkpoint))
    return Checkpoint.open(folder, checkpoint.name)


def _shards(checkpoint: Checkpoint) -> dict[Path, list[New]]:
    """The new contents of each file."""
    weights, parts = checkpoint.quantized
    shards: dict[Path, list[New]] = {path: [] for path in checkpoint.weights}
    for name, tensor in checkpoint.tensors.items():
        if name in weights:
            shards[tensor.path].append(_numbers(checkpoint, name, weights[name]))
        elif name not in parts:
            shards[tensor.path].append(_same(tensor))
    return {path: tensors for path, tensors in shards.items() if tensors}


def _numbers(checkpoint: Checkpoint, name: str, weight: FourBit | EightBit) -> New:
    if isinstance(weight, FourBit):
        dtype = weight.dtype
    else:
        stated = checkpoint.config.get("dtype") or checkpoint.config.get("torch_dtype")
        dtype = _DTYPES.get(str(stated), "F16")  # the one that it multiplies 8-bit codes in
    return New(name, dtype, weight.shape, (_as(dtype, piece) for piece in weight.pieces()))


def _same(tensor: Stored) -> New:
    if tensor.dtype not in SIZES:
        raise InputError(
            f"{tensor.path}: tensor {tensor.name} has the unknown type {tensor.dtype}",
            "Convert the original model.",
        )
    return New(tensor.name, tensor.dtype, tensor.shape, tensor.pieces())


def _as(dtype: str, numbers: NDArray[np.float32]) -> NDArray[Any]:
    if dtype == "F32":
        return numbers.astype("<f4")
    if dtype == "F16":
        return numbers.astype("<f2")
    bits = numbers.view(np.uint32)
    # To the nearest, of two that are as near to the even one.
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def _told(new: New, advance: Advance) -> New:
    def pieces() -> Iterator[NDArray[Any]]:
        for piece in new.pieces:
            yield piece
            advance(piece.nbytes)

    return New(new.name, new.dtype, new.shape, pieces())


def _index(shards: dict[Path, list[New]]) -> dict[str, Any]:
    """Which file each tensor is in; upstream's converter wants it where there are several."""
    places = {new.name: path.name for path, tensors in shards.items() for new in tensors}
    size = sum(new.size for tensors in shards.values() for new in tensors)
    return {"metadata": {"total_size": size}, "weight_map": places}


def _plain_config(checkpoint: Checkpoint) -> dict[str, Any]:
    return {k: v for k, v in checkpoint.config.items() if k != "quantization_config"}


def _replace(path: Path, contents: dict[str, Any]) -> None:
    path.unlink(missing_ok=True)  # Written through the link, it would be the user's own.
    path.write_text(json.dumps(contents), encoding="utf-8")
