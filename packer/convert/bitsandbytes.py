"""Weights that bitsandbytes quantized, as numbers again: a checkpoint that upstream converts.

Format: `QuantState.as_dict` of bitsandbytes (4 bits) and the state dict of its `Linear8bitLt` (8
bits), as `transformers` saves them:

    X                             4-bit codes, two a byte, the first one in the upper half
    X.absmax                      F32, scale of each block; or U8, quantized once more:
    X.nested_absmax               F32, scale of each block of scales
    X.nested_quant_map            F32 [256], what each code of a scale stands for
    X.quant_map                   F32 [16], what each code stands for
    X.quant_state.bitsandbytes__T JSON as bytes; T is nf4 or fp4
    M.weight, M.SCB               I8 [rows, columns], and F32 [rows]: what 127 stands for
    M.weight_format               0: rows; other layouts were for single kinds of cards
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packer.convert.checkpoint import CONFIG, SCALES, STATE, Checkpoint
from packer.convert.safetensors import SIZES, New, Stored, write
from packer.io.console import Advance, progress
from runtime.errors import InputError
from runtime.formats.json_input import MALFORMED, parse_json

try:
    import numpy as np
    from numpy.typing import NDArray
except ModuleNotFoundError:
    raise InputError(
        "dequantizing weights of bitsandbytes needs numpy, which this Python does not have",
        "Run `pip install numpy`.",
    ) from None

_INDEX = "model.safetensors.index.json"
_PARTS = ("absmax", "quant_map", "nested_absmax", "nested_quant_map")
_TYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
_PIECE = 1 << 20  # elements at once; blocks have a power of two, at most 4096
_BLOCKS = {1 << power for power in range(5, 13)}


@dataclass(frozen=True)
class FourBit:
    """A weight of 4-bit codes."""

    codes: Stored
    values: NDArray[np.float32]
    """The value of each of the 16 codes."""
    scales: Stored
    block: int
    """Elements that share a scale."""
    nested: Nested | None
    dtype: str
    """The type before quantization, as safetensors names it."""
    shape: tuple[int, ...]

    def pieces(self) -> Iterator[NDArray[np.float32]]:
        """The numbers, in order."""
        count = math.prod(self.shape)
        for start in range(0, count, _PIECE):
            end = min(start + _PIECE, count)
            packed = _bytes(self.codes, start // 2, (end - start + 1) // 2)
            codes = np.stack((packed >> 4, packed & 15), axis=-1).reshape(-1)[: end - start]
            scales = self._scales(start // self.block, -(-end // self.block))
            yield self.values[codes] * np.repeat(scales, self.block)[: end - start]

    def _scales(self, start: int, end: int) -> NDArray[np.float32]:
        if self.nested is None:
            return _bytes(self.scales, start * 4, (end - start) * 4).view("<f4")
        return self.nested.scales(_bytes(self.scales, start, end - start), start)


@dataclass(frozen=True)
class Nested:
    """Scales that were quantized as well."""

    values: NDArray[np.float32]
    """The value of each of the 256 codes."""
    maxima: NDArray[np.float32]
    block: int
    """Scales that share one of `maxima`."""
    offset: np.float32
    """Added to each."""

    def scales(self, codes: NDArray[np.uint8], start: int) -> NDArray[np.float32]:
        """The scales of these codes, the first of which is number `start`."""
        blocks = np.arange(start, start + len(codes)) // self.block
        return self.values[codes] * self.maxima[blocks] + self.offset


@dataclass(frozen=True)
class EightBit:
    """A weight of 8-bit integers with a scale a row."""

    codes: Stored
    scales: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.codes.shape

    def pieces(self) -> Iterator[NDArray[np.float32]]:
        """The numbers, in order."""
        rows, columns = self.shape
        step = max(1, _PIECE // max(1, columns))
        for start in range(0, rows, step):
            end = min(start + step, rows)
            codes = _bytes(self.codes, start * columns, (end - start) * columns).view(np.int8)
            scaled = codes.reshape(-1, columns) * self.scales[start:end, None]
            yield (scaled / np.float32(127)).reshape(-1)


def quantized(tensors: Mapping[str, Stored]) -> tuple[dict[str, FourBit | EightBit], set[str]]:
    """The quantized weights of a checkpoint by name, and the names of the tensors about them.
    Raises InputError if a tensor is missing, damaged, or of an unknown kind."""
    weights: dict[str, FourBit | EightBit] = {}
    parts: set[str] = set()
    for name, tensor in tensors.items():
        if STATE in name:
            own = name.partition(STATE)[0]
            weights[own] = _four_bit(tensors, own, tensor)
            parts |= {f"{own}.{part}" for part in _PARTS} | {name}
        elif name.endswith(SCALES):
            module = name.removesuffix(SCALES)
            weights[f"{module}.weight"] = _eight_bit(tensors, module, tensor)
            parts |= {name, f"{module}.weight_format"}
    return weights, parts


def _four_bit(tensors: Mapping[str, Stored], name: str, state: Stored) -> FourBit:
    try:
        facts: dict[str, Any] = parse_json(state.read())
        shape = tuple(int(size) for size in facts["shape"])
        dtype = _TYPES[facts["dtype"]]
        block = facts["blocksize"]
        nested = _nested(tensors, name, facts) if "nested_blocksize" in facts else None
        codes, scales = tensors[name], tensors[f"{name}.absmax"]
        values = _floats(tensors[f"{name}.quant_map"], 16)
    except MALFORMED:
        raise _damaged(state.path, name) from None
    count = math.prod(shape)
    width = 1 if nested else 4
    if (
        block not in _BLOCKS
        or min(shape, default=0) < 1
        or codes.size != (count + 1) // 2
        or scales.size != -(-count // block) * width
        or (nested and len(nested.maxima) * nested.block < scales.size)
    ):
        raise _damaged(state.path, name)
    return FourBit(codes, values, scales, block, nested, dtype, shape)


def _nested(tensors: Mapping[str, Stored], name: str, facts: Mapping[str, Any]) -> Nested:
    block = int(facts["nested_blocksize"])
    if block < 1:
        raise ValueError(block)
    return Nested(
        values=_floats(tensors[f"{name}.nested_quant_map"], 256),
        maxima=_floats(tensors[f"{name}.nested_absmax"]),
        block=block,
        offset=np.float32(float(facts["nested_offset"])),
    )


def _eight_bit(tensors: Mapping[str, Stored], module: str, scales: Stored) -> EightBit:
    codes = tensors.get(f"{module}.weight")
    if codes is None or codes.dtype != "I8" or len(codes.shape) != 2:
        raise _damaged(scales.path, f"{module}.weight")
    layout = tensors.get(f"{module}.weight_format")
    if layout is not None and any(layout.read()):
        raise InputError(
            f"{scales.path}: {module}.weight has the layout of one kind of card",
            "Save it again with a newer bitsandbytes, or convert the original model.",
        )
    try:
        return EightBit(codes, _floats(scales, codes.shape[0]))
    except ValueError:
        raise _damaged(scales.path, f"{module}.weight") from None


def _floats(tensor: Stored, count: int | None = None) -> NDArray[np.float32]:
    if tensor.dtype != "F32" or (count is not None and tensor.elements != count):
        raise ValueError(tensor.name)
    return _bytes(tensor, 0, tensor.size).view("<f4")


def _bytes(tensor: Stored, start: int, count: int) -> NDArray[np.uint8]:
    return np.frombuffer(tensor.read(start, count), np.uint8)


def _damaged(path: object, name: str) -> InputError:
    return InputError(
        f"{path}: the bitsandbytes data of {name} are incomplete or invalid",
        "Download the checkpoint again, or convert the original model.",
    )


def dequantized_size(checkpoint: Checkpoint) -> int:
    """Bytes that `dequantize` writes."""
    return sum(new.size for shard in _shards(checkpoint).values() for new in shard)


def dequantize(checkpoint: Checkpoint, folder: Path) -> Checkpoint:
    """Write the checkpoint with weights as numbers into a new folder, piece by piece. Raises
    InputError if the checkpoint is damaged."""
    folder.mkdir()
    shards = _shards(checkpoint)
    total = sum(new.size for shard in shards.values() for new in shard)
    with progress(f"dequantizing {checkpoint.name}", total) as advance:
        for path, tensors in shards.items():
            write(folder / path.name, [_reported(new, advance) for new in tensors])
    checkpoint.link(folder, weights=False)
    places = {new.name: path.name for path, tensors in shards.items() for new in tensors}
    # Upstream's converter needs it where there are several files.
    _replace(folder / _INDEX, {"metadata": {"total_size": total}, "weight_map": places})
    plain = {k: v for k, v in checkpoint.config.items() if k != "quantization_config"}
    _replace(folder / CONFIG, plain)
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
        dtype = _TYPES.get(str(stated), "F16")  # the type in which it multiplies 8-bit codes
    return New(name, dtype, weight.shape, (_encoded(dtype, piece) for piece in weight.pieces()))


def _same(tensor: Stored) -> New:
    if tensor.dtype not in SIZES:
        raise InputError(
            f"{tensor.path}: tensor {tensor.name} has the unknown type {tensor.dtype}",
            "Convert the original model.",
        )
    return New(tensor.name, tensor.dtype, tensor.shape, tensor.pieces())


def _encoded(dtype: str, numbers: NDArray[np.float32]) -> bytes:
    if dtype != "BF16":
        return numbers.astype("<f4" if dtype == "F32" else "<f2").tobytes()
    bits = numbers.view(np.uint32)
    # To the nearest value, and to the even one of two that are equally near.
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()


def _reported(new: New, advance: Advance) -> New:
    def pieces() -> Iterator[bytes]:
        for piece in new.pieces:
            yield piece
            advance(len(piece))

    return New(new.name, new.dtype, new.shape, pieces())


def _replace(path: Path, contents: dict[str, Any]) -> None:
    path.unlink(missing_ok=True)  # Written through the link, it would be the user's own.
    path.write_text(json.dumps(contents), encoding="utf-8")
