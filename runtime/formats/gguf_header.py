"""Reads the header of a GGUF file: metadata and tensor descriptions, never the tensors.

Format: GGUF specification (docs/gguf.md of the ggml repository), versions 2 and 3, little-endian.
Limits follow `gguf_init_from_reader` in llama.cpp v0.6.0. Memory stays small: long arrays
(vocabularies) are walked over and only counted.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeAlias

from runtime.errors import InputError
from runtime.formats.file_stream import Truncated, Window
from runtime.formats.undo_file import refuse_unfinished

MAGIC = b"GGUF"
LFS_POINTER = b"version https://git-lfs"
DEFAULT_ALIGNMENT = 32

ARRAY_KEPT = 512
"""Arrays of at most this many elements are kept, longer ones only counted. No engine takes a model
of more layers (LLAMA_MAX_LAYERS), and some keys have an element for each."""

_KEY_LIMIT = 65535  # bytes, GGUF specification: "up to 2^16-1 bytes"
_NAME_LIMIT = 63  # bytes, GGML_MAX_NAME - 1
_DIMENSIONS_LIMIT = 4  # GGML_MAX_DIMS
_KEPT_LIMIT = 32 << 20  # bytes of all values kept together; a long chat template has 0.1 MB
_KEPT_VALUE = 64  # bytes that each value of an array counts for, in addition to its own
_WALKED_LIMIT = 1 << 23  # strings of all arrays together; the largest vocabularies have 1 << 18
_TENSORS_LIMIT = 1 << 16  # the largest models have some ten thousand
_PAIRS_LIMIT = 1 << 16  # of metadata; models have some dozens

_STRING, _ARRAY = 8, 9
_FORMATS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_SCALARS = {kind: struct.Struct(f"<{letter}") for kind, letter in _FORMATS.items()}
_TENSOR_ENDS = [struct.Struct(f"<{count}QIQ") for count in range(_DIMENSIONS_LIMIT + 1)]
"""Shape, type and offset, by the number of dimensions."""

Scalar: TypeAlias = int | float | bool | str


class TensorType(NamedTuple):
    """How elements of one type are laid out: `block` elements take `size` bytes."""

    name: str
    block: int
    size: int


# `type_traits` in ggml/src/ggml.c with the block structs of ggml/src/ggml-common.h, and
# `enum llama_ftype` in include/llama.h. The tests compare both tables with the `gguf` package.
TENSOR_TYPES = {
    0: TensorType("F32", 1, 4), 1: TensorType("F16", 1, 2), 2: TensorType("Q4_0", 32, 18),
    3: TensorType("Q4_1", 32, 20), 6: TensorType("Q5_0", 32, 22), 7: TensorType("Q5_1", 32, 24),
    8: TensorType("Q8_0", 32, 34), 9: TensorType("Q8_1", 32, 36), 10: TensorType("Q2_K", 256, 84),
    11: TensorType("Q3_K", 256, 110), 12: TensorType("Q4_K", 256, 144),
    13: TensorType("Q5_K", 256, 176), 14: TensorType("Q6_K", 256, 210),
    15: TensorType("Q8_K", 256, 292), 16: TensorType("IQ2_XXS", 256, 66),
    17: TensorType("IQ2_XS", 256, 74), 18: TensorType("IQ3_XXS", 256, 98),
    19: TensorType("IQ1_S", 256, 50), 20: TensorType("IQ4_NL", 32, 18),
    21: TensorType("IQ3_S", 256, 110), 22: TensorType("IQ2_S", 256, 82),
    23: TensorType("IQ4_XS", 256, 136), 24: TensorType("I8", 1, 1), 25: TensorType("I16", 1, 2),
    26: TensorType("I32", 1, 4), 27: TensorType("I64", 1, 8), 28: TensorType("F64", 1, 8),
    29: TensorType("IQ1_M", 256, 56), 30: TensorType("BF16", 1, 2),
    34: TensorType("TQ1_0", 256, 54), 35: TensorType("TQ2_0", 256, 66),
    39: TensorType("MXFP4", 32, 17), 40: TensorType("NVFP4", 64, 36),
    41: TensorType("Q1_0", 128, 18), 42: TensorType("Q2_0", 64, 18),
}  # fmt: skip
FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K",
    11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S",
    17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS",
    23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M",
    30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4_MOE", 39: "NVFP4",
    40: "Q1_0", 41: "Q2_0",
}  # fmt: skip
FILE_TYPE_GUESSED = 1024
"""Bit in `general.file_type` of a type that the converter guessed (LLAMA_FTYPE_GUESSED)."""


@dataclass(frozen=True)
class Array:
    """An array in the metadata."""

    length: int
    values: tuple[Scalar, ...] | None
    """None if there are more than `ARRAY_KEPT`."""


Value: TypeAlias = Scalar | Array


@dataclass(frozen=True)
class Tensor:
    """The description of one tensor."""

    name: str
    shape: tuple[int, ...]
    """Elements per dimension, the fastest-varying first."""
    type: int
    """A key of `TENSOR_TYPES` if this version knows it."""
    offset: int
    """Bytes from the start of the data section."""

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def type_name(self) -> str:
        known = TENSOR_TYPES.get(self.type)
        return known.name if known else f"type {self.type}"

    @property
    def size(self) -> int | None:
        """Bytes of data, or None for a tensor type that this version does not know."""
        known = TENSOR_TYPES.get(self.type)
        return self.elements // known.block * known.size if known else None


@dataclass(frozen=True)
class Header:
    """The header of one GGUF file."""

    version: int
    metadata: Mapping[str, Value]
    tensors: Sequence[Tensor]
    alignment: int
    """Bytes; tensor data begin on multiples of it."""
    data_offset: int
    """Bytes from the start of the GGUF to its data section."""
    pairs: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Begin and end of each metadata pair, in bytes from the start of the GGUF."""


def read_header(file: BinaryIO, name: str, base: int = 0, size: int | None = None) -> Header:
    """Read the header of the GGUF that occupies `size` bytes of `file` from offset `base`.

    Args:
        name: what errors call it.
        size: None: up to the end of the file.

    Raises:
        InputError: it is not a GGUF, or its data are cut off. What passes need not be what an
            engine loads: `pack` asks one.
    """
    if size is None:
        size = file.seek(0, 2) - base
    window = Window(file, base, size)
    try:
        return _Walk(window, name).header()
    except Truncated:
        raise _truncated(name, f"its header does not end within the file, {size:,} bytes") from None


def read_header_of(path: Path) -> Header:
    """Read the header of the GGUF file at `path`.

    Raises:
        InputError: as `read_header`; it is not a regular file; `pack --consume` was changing it.
    """
    refuse_unfinished(path)
    if path.is_fifo():  # opening it would wait for a writer
        raise InputError(f"{path} is not a regular file", "Name the `.gguf` file.")
    try:
        with path.open("rb") as file:
            return read_header(file, str(path))
    except IsADirectoryError:
        raise InputError(
            f"{path} is a directory, not a GGUF file", "Name the `.gguf` file inside it."
        ) from None
    except FileNotFoundError:
        raise InputError(f"{path} does not exist", "Check the path of the model.") from None


def _truncated(name: str, how: str) -> InputError:
    return InputError(f"{name} is truncated: {how}", "Download or copy the file again.")


class _Walk:
    """One pass over a header, from the magic to the data section."""

    def __init__(self, window: Window, name: str) -> None:
        self._window = window
        self._name = name
        self._kept = 0
        self._walked = 0
        self._pairs: dict[str, tuple[int, int]] = {}

    def header(self) -> Header:
        version = self._version()
        tensor_count = self._count("tensors", 24, _TENSORS_LIMIT)
        pair_count = self._count("metadata pairs", 13, _PAIRS_LIMIT)
        metadata = self._metadata(pair_count)
        alignment = self._alignment(metadata)
        tensors = self._tensors(tensor_count)
        data_offset = -(-self._window.position // alignment) * alignment
        self._check_data(tensors, data_offset)
        return Header(version, metadata, tensors, alignment, data_offset, self._pairs)

    def _damaged(self, what: str) -> InputError:
        return InputError(
            f"{self._name} is damaged: {what}", "Download or convert the model again."
        )

    def _version(self) -> int:
        size = self._window.size
        if size == 0:
            raise InputError(f"{self._name} is empty (0 bytes)", "Download the model again.")
        start = self._window.peek(64)
        if start[:4] != MAGIC:
            if start.startswith(LFS_POINTER):
                raise InputError(
                    f"{self._name} is a Git LFS pointer, not the model itself",
                    "Download the model with `git lfs pull`.",
                )
            raise InputError(
                f"{self._name} is not a GGUF file: it starts with {start[:4]!r}, not b'GGUF'",
                "Name a GGUF. `llamapack convert` makes one from a folder of safetensors. For one "
                "inside an archive or a bundle, write `FILE:MEMBER`.",
            )
        self._window.take(4)
        version = self._u32()
        if version & 0xFFFF == 0 and version != 0:
            raise InputError(
                f"{self._name} is a big-endian GGUF file",
                "Convert it with `gguf-convert-endian FILE little` of the `gguf` package.",
            )
        if version not in (2, 3):
            raise InputError(
                f"{self._name} is GGUF version {version}; versions 2 and 3 can be read",
                "Convert the model again with a current llama.cpp."
                if version < 2
                else "Upgrade llamapack.",
            )
        return version

    def _count(self, what: str, smallest: int, limit: int) -> int:
        count = self._u64()
        if count > limit or count * smallest > self._window.size:
            raise self._damaged(f"it claims {count:,} {what} in {self._window.size:,} bytes")
        return count

    def _metadata(self, count: int) -> dict[str, Value]:
        metadata: dict[str, Value] = {}
        for _ in range(count):
            start = self._window.position
            key = self._string("metadata key", _KEY_LIMIT)
            if not key or key in metadata:
                raise self._damaged(f"metadata key {key!r} {'occurs twice' if key else 'is empty'}")
            metadata[key] = self._value(key)
            self._pairs[key] = (start, self._window.position)
        return metadata

    def _value(self, key: str) -> Value:
        kind = self._u32()
        if kind != _ARRAY:
            return self._scalar(kind, key)
        kind, length = self._u32(), self._u64()
        if kind != _STRING and kind not in _SCALARS:
            raise self._damaged(f"`{key}` is an array of unknown type {kind}")
        if length <= ARRAY_KEPT:
            return Array(length, self._values(kind, length, key))
        if kind == _STRING:
            if length * 8 > self._window.left:
                raise Truncated
            self._walked += length
            if self._walked > _WALKED_LIMIT:
                raise self._damaged(f"`{key}` has more strings than any vocabulary")
            self._window.skip_strings(length)
        else:
            self._window.skip(length * _SCALARS[kind].size)
        return Array(length, None)

    def _values(self, kind: int, length: int, key: str) -> tuple[Scalar, ...]:
        self._kept += length * _KEPT_VALUE
        if self._kept > _KEPT_LIMIT:
            raise self._damaged(f"its arrays up to `{key}` have too many values")
        if kind == _STRING:
            return tuple(self._scalar(kind, key) for _ in range(length))
        form = struct.Struct(f"<{length}{_FORMATS[kind]}")
        return form.unpack(self._window.take(form.size))

    def _scalar(self, kind: int, key: str) -> Scalar:
        if kind == _STRING:
            return self._string(f"`{key}`", _KEPT_LIMIT)
        if kind not in _SCALARS:
            raise self._damaged(f"`{key}` is of unknown type {kind}")
        form = _SCALARS[kind]
        value: int | float | bool = form.unpack(self._window.take(form.size))[0]
        return value

    def _alignment(self, metadata: Mapping[str, Value]) -> int:
        alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
        if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1):
            raise self._damaged(f"its alignment {alignment!r} is not a power of two")
        return alignment

    def _tensors(self, count: int) -> list[Tensor]:
        tensors: list[Tensor] = []
        names: set[str] = set()
        for _ in range(count):
            tensor = self._tensor()
            if tensor.name in names:
                raise self._damaged(f"tensor {tensor.name!r} occurs twice")
            names.add(tensor.name)
            tensors.append(tensor)
        return tensors

    def _tensor(self) -> Tensor:
        name = self._string("tensor name", _NAME_LIMIT)
        dimensions = self._u32()
        if dimensions > _DIMENSIONS_LIMIT:
            raise self._damaged(f"tensor {name!r} has {dimensions:,} dimensions")
        form = _TENSOR_ENDS[dimensions]
        *lengths, kind, offset = form.unpack(self._window.take(form.size))
        shape = tuple(lengths)
        if math.prod(shape) >= 1 << 63 or max(shape, default=0) >= 1 << 63:
            raise self._damaged(f"tensor {name!r} has an impossible shape")
        known = TENSOR_TYPES.get(kind)
        if known and (shape[0] if shape else 1) % known.block:
            raise self._damaged(
                f"rows of tensor {name!r} are not a multiple of a {known.name} block"
            )
        return Tensor(name, shape, kind, offset)

    def _check_data(self, tensors: Sequence[Tensor], data_offset: int) -> None:
        ends = (data_offset + tensor.offset + (tensor.size or 0) for tensor in tensors)
        needed, size = max(ends, default=0), self._window.size
        if needed > size:
            raise _truncated(
                self._name, f"its tensors need {needed:,} bytes, but the file has {size:,}"
            )

    def _string(self, what: str, limit: int) -> str:
        length = self._u64()
        if length > self._window.left:
            raise Truncated
        self._kept += length
        if length > limit or self._kept > _KEPT_LIMIT:
            raise self._damaged(f"{what} of {length:,} bytes is too long")
        return self._window.take(length).decode("utf-8", "replace")

    def _u32(self) -> int:
        return int.from_bytes(self._window.take(4), "little")

    def _u64(self) -> int:
        return int.from_bytes(self._window.take(8), "little")
