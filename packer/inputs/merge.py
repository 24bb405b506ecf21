"""The shards of a model as one GGUF, made while it is read: no second copy of the weights.

As `gguf-split --merge` of llama.cpp does it: metadata of the first shard, tensors in the order of
the shards, each padded to the alignment. The `split.*` keys are left out, since the result is whole
(gguf-split keeps them with `split.count` 0).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from runtime.errors import InputError
from runtime.gguf_header import MAGIC, Header, Tensor

_HEAD = struct.Struct("<4sI2Q")  # magic, version, tensors, metadata pairs


@dataclass(frozen=True)
class _Range:
    """Bytes of one of the files."""

    path: Path
    offset: int
    size: int


_Piece = bytes | _Range


@dataclass(frozen=True)
class MergedSource:
    """One GGUF put together of pieces; implements `packer.sources.Source`."""

    pieces: Sequence[_Piece]

    @property
    def size(self) -> int:
        return sum(len(p) if isinstance(p, bytes) else p.size for p in self.pieces)

    @property
    def sparse(self) -> bool:
        return False

    def open(self) -> BinaryIO:
        return cast(BinaryIO, _MergedWeights(self.pieces))


def merged(paths: Sequence[Path], headers: Sequence[Header]) -> MergedSource:
    """Put the shards in `paths` together.

    Args:
        headers: of the shards, in order.

    Raises:
        InputError: they do not make one model.
    """
    first = headers[0]
    keys = [key for key in first.pairs if not key.startswith("split.")]
    spans = [first.pairs[key] for key in keys]
    descriptions: list[bytes] = []
    data: list[_Piece] = []
    offset = 0
    names: set[str] = set()
    for path, header in zip(paths, headers, strict=True):
        for tensor in header.tensors:
            size = _size(path, tensor)
            if tensor.name in names:
                raise InputError(
                    f"{path} has tensor {tensor.name!r}, and an earlier shard has it too",
                    "Download all shards from the same place.",
                )
            names.add(tensor.name)
            descriptions.append(_described(tensor, offset))
            padding = -size % first.alignment
            data += [_Range(path, header.data_offset + tensor.offset, size), bytes(padding)]
            offset += size + padding
    start = _HEAD.pack(MAGIC, first.version, len(descriptions), len(keys))
    infos = b"".join(descriptions)
    length = len(start) + sum(end - begin for begin, end in spans) + len(infos)
    pieces: list[_Piece] = [
        start,
        *(_Range(paths[0], begin, end - begin) for begin, end in _joined(spans)),
        infos,
        bytes(-length % first.alignment),
        *data,
    ]
    return MergedSource(pieces)


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same bytes in as few spans as possible."""
    result: list[tuple[int, int]] = []
    for begin, end in spans:
        if result and result[-1][1] == begin:
            result[-1] = (result[-1][0], end)
        else:
            result.append((begin, end))
    return result


def _described(tensor: Tensor, offset: int) -> bytes:
    name, shape = tensor.name.encode(), tensor.shape
    form = f"<Q{len(name)}sI{len(shape)}QIQ"
    return struct.pack(form, len(name), name, len(shape), *shape, tensor.type, offset)


def _size(path: Path, tensor: Tensor) -> int:
    if tensor.size is None:
        raise InputError(
            f"{path} has tensor {tensor.name!r} of {tensor.type_name}, a type of unknown size",
            "Pack the shards without `--merge`, or upgrade llamapack.",
        )
    return tensor.size


class _MergedWeights(io.RawIOBase):
    """The pieces one after another."""

    def __init__(self, pieces: Iterable[_Piece]) -> None:
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")
        self._path: Path | None = None
        self._file: io.FileIO | None = None
        self._left = 0  # bytes of the range that the file is in

    def readable(self) -> bool:
        return True

    def readinto(self, space: Any) -> int:
        while not self._rest and not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            if isinstance(piece, bytes):
                self._rest = memoryview(piece)
            else:
                self._begin(piece)
        if self._rest:
            count = min(len(space), len(self._rest))
            space[:count] = self._rest[:count]
            self._rest = self._rest[count:]
            return count
        assert self._file
        count = self._file.readinto(memoryview(space)[: self._left]) or 0
        self._left -= count
        return count

    def _begin(self, piece: _Range) -> None:
        if self._path != piece.path:
            if self._file:
                self._file.close()
            self._file, self._path = io.FileIO(piece.path), piece.path
        assert self._file
        self._file.seek(piece.offset)
        self._left = piece.size

    def close(self) -> None:
        if self._file:
            self._file.close()
        super().close()
