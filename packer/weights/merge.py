"""The shards of a model as one GGUF, made while it is read: no second copy of the weights.

As `gguf-split --merge` of llama.cpp does it: metadata of the first shard, tensors in the order of
the shards, each padded to the alignment. The `split.*` keys are left out, since the result is whole
(gguf-split keeps them with `split.count` 0).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from runtime.errors import InputError
from runtime.formats.file_stream import FileRange, JoinedStream
from runtime.formats.gguf_header import MAGIC, Header, Tensor

_HEAD = struct.Struct("<4sI2Q")  # magic, version, tensors, metadata pairs


@dataclass(frozen=True)
class MergedSource:
    """One GGUF put together of pieces; implements `packer.io.sources.Source`."""

    pieces: Sequence[bytes | FileRange]
    sparse: bool = False

    @property
    def size(self) -> int:
        return sum(len(p) if isinstance(p, bytes) else p.size for p in self.pieces)

    def open(self) -> BinaryIO:
        return cast(BinaryIO, JoinedStream(self.pieces))


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
    data: list[bytes | FileRange] = []
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
            data += [FileRange(path, header.data_offset + tensor.offset, size), bytes(padding)]
            offset += size + padding
    start = _HEAD.pack(MAGIC, first.version, len(descriptions), len(keys))
    infos = b"".join(descriptions)
    length = len(start) + sum(end - begin for begin, end in spans) + len(infos)
    pieces: list[bytes | FileRange] = [
        start,
        *(FileRange(paths[0], begin, end - begin) for begin, end in _joined(spans)),
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
