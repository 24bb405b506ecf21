"""Safetensors files: which tensors are where, and new files written piece by piece.

Format: the safetensors README. Eight bytes of length (u64, little-endian), that many bytes of JSON
(name → dtype, shape, offsets from the end of the JSON), then the data. The library of that name
takes only whole tensors, and keeps all that it writes in memory.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import InputError
from runtime.formats.json_input import MALFORMED, parse_json

SIZES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1,
    "I16": 2, "U16": 2, "F16": 2, "BF16": 2, "I32": 4, "U32": 4, "F32": 4,
    "I64": 8, "U64": 8, "F64": 8,
}  # fmt: skip
"""Bytes of an element, by dtype, without the types of less than a byte."""

_HEADER_LIMIT = 100_000_000  # bytes, as the library has it
_PIECE = 4 << 20  # bytes copied at once


@dataclass(frozen=True)
class Stored:
    """A tensor in a file."""

    path: Path
    name: str
    dtype: str
    """As the format spells it, such as `BF16`."""
    shape: tuple[int, ...]
    start: int
    """Offset of its data in the file."""
    size: int
    """Bytes."""

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    def read(self, start: int = 0, count: int | None = None) -> bytes:
        """`count` bytes from its byte `start` on, or all from there."""
        with self.path.open("rb") as file:
            file.seek(self.start + start)
            return file.read(self.size - start if count is None else count)

    def pieces(self) -> Iterator[bytes]:
        """All its bytes."""
        for start in range(0, self.size, _PIECE):
            yield self.read(start, min(_PIECE, self.size - start))


@dataclass(frozen=True)
class New:
    """A tensor to write."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    pieces: Iterable[bytes]
    """Its data, in order."""

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * SIZES[self.dtype]


def read_header(path: Path) -> dict[str, Stored]:
    """The tensors of a file, by name. Raises InputError if it is not a safetensors file, or is cut
    off."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or not 2 <= length <= min(size - 8, _HEADER_LIMIT):
            raise _damaged(path, f"a header of {length:,} bytes does not fit in its {size:,}")
        text = file.read(length)
    try:
        found = parse_json(text, limit=_HEADER_LIMIT)
        if not isinstance(found, dict):
            raise ValueError
        entries = {name: entry for name, entry in found.items() if name != "__metadata__"}
        return {name: _stored(path, name, e, 8 + length, size) for name, e in entries.items()}
    except MALFORMED:
        raise _damaged(path, "its header is invalid") from None


def _stored(path: Path, name: str, entry: Mapping[str, Any], base: int, size: int) -> Stored:
    start, end = entry["data_offsets"]
    shape = tuple(entry["shape"])
    dtype = entry["dtype"]
    numbers = (start, end, *shape)
    if not all(type(n) is int and n >= 0 for n in numbers) or not isinstance(dtype, str):
        raise ValueError(name)
    if not start <= end <= size - base:
        raise _damaged(path, f"tensor {name} ends after the file's end")
    if dtype in SIZES and math.prod(shape) * SIZES[dtype] != end - start:
        raise _damaged(path, f"tensor {name} has a size that differs from its shape")
    return Stored(path, name, dtype, shape, base + start, end - start)


def _damaged(path: Path, reason: str) -> InputError:
    return InputError(f"{path} is not a complete safetensors file: {reason}", "Download it again.")


def write(path: Path, tensors: Sequence[New]) -> None:
    """Write a new file, piece by piece."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for tensor in tensors:
        offsets = [end, end + tensor.size]
        header[tensor.name] = {
            "dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": offsets,
        }  # fmt: skip
        end += tensor.size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("xb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors:
            begin = file.tell()
            for piece in tensor.pieces:
                file.write(piece)
            assert file.tell() - begin == tensor.size, tensor.name
