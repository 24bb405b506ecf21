"""Facts of a model for people, from the headers of its GGUF files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from runtime.formats.gguf_header import FILE_TYPE_GUESSED, FILE_TYPES, Header

MODEL, ADAPTER, PROJECTOR = "model", "adapter", "mmproj"
_PROJECTORS = "clip"  # the architecture of all projectors in GGUF


@dataclass(frozen=True)
class Shard:
    """Place of one file in a model that is split into several (llama.cpp's gguf-split)."""

    number: int
    """From 0 (`split.no`)."""
    count: int
    """Number of files (`split.count`)."""
    tensors: int | None
    """Tensors in all shards together (`split.tensors.count`)."""


@dataclass(frozen=True)
class ModelFacts:
    """Facts of one model; None where the header does not state them."""

    architecture: str | None
    name: str | None
    parameters: int | None
    """Number of weights, over all shards."""
    quantization: str | None
    """Such as `Q6_K`: what the file says of itself, else the type of most weights."""
    context_length: int | None
    """Tokens that the model was trained for."""
    license: str | None
    chat_template: bool
    """Whether the metadata hold one."""
    kind: str
    """`model`, `adapter` (LoRA), `mmproj`, `vocab` or `imatrix`."""
    size: int
    """Bytes, over all shards."""


def shard(header: Header) -> Shard | None:
    """Which shard this is, or None for a model in one file."""
    number, count, tensors = (
        _integer(header, f"split.{key}") for key in ("no", "count", "tensors.count")
    )
    if count is None or count < 2:
        return None
    return Shard(number or 0, count, tensors)


def kind_of(header: Header) -> str:
    """The purpose of a GGUF: `general.type`, which old projectors do not state."""
    if _text(header, "general.architecture") == _PROJECTORS:
        return PROJECTOR
    return _text(header, "general.type") or MODEL


def model_facts(headers: Sequence[Header], size: int) -> ModelFacts:
    """Facts of the model whose files have these headers, first shard first, and `size` bytes."""
    first = headers[0]
    architecture = _text(first, "general.architecture")
    elements: Counter[str] = Counter()
    for header in headers:
        for tensor in header.tensors:
            elements[tensor.type_name] += tensor.elements
    return ModelFacts(
        architecture=architecture,
        name=_text(first, "general.name"),
        parameters=_integer(first, "general.parameter_count") or elements.total() or None,
        quantization=_quantization(first, elements),
        context_length=_integer(first, f"{architecture}.context_length"),
        license=_text(first, "general.license"),
        chat_template=_text(first, "tokenizer.chat_template") is not None,
        kind=kind_of(first),
        size=size,
    )


def _quantization(header: Header, elements: Counter[str]) -> str | None:
    stated = _integer(header, "general.file_type")
    if stated is not None and stated & ~FILE_TYPE_GUESSED in FILE_TYPES:
        return FILE_TYPES[stated & ~FILE_TYPE_GUESSED]
    # Elements, not bytes: a few tensors kept in F32 would else outweigh the quantized rest.
    return max(elements, key=lambda name: elements[name], default=None)


def _text(header: Header, key: str) -> str | None:
    value = header.metadata.get(key)
    return value if isinstance(value, str) and value else None


def _integer(header: Header, key: str) -> int | None:
    value = header.metadata.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
