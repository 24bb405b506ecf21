"""How many bytes a model takes at certain settings: weights, cache and computing, layer by layer.

The cache is what llama.cpp v0.4.0 allocates, to the byte for the architectures that the tests
compare (`llama_kv_cache`, `llama_memory_recurrent`). The space for computing is an estimate from
above: the engine plans its graphs itself.
"""

from __future__ import annotations

from runtime.fit.model_shape import Layer, ModelShape
from runtime.fit.settings import CACHE_TYPES, Settings

_FIXED = 16 << 20  # bytes that every engine takes for itself
_F16, _F32 = 2, 4  # bytes


def cache_bytes(shape: ModelShape, settings: Settings) -> int:
    """Bytes of the KV cache and of recurrent states, of all layers."""
    return sum(layer_cache_bytes(layer, shape, settings) for layer in shape.layers)


def layer_cache_bytes(layer: Layer, shape: ModelShape, settings: Settings) -> int:
    """Bytes that one layer keeps of what it has seen."""
    windowed = layer.windowed and shape.window > 0
    cells = settings.window_cells(shape.window) if windowed else settings.cells
    value = layer.value
    if value and not settings.flash_attention:
        value = max(other.value for other in shape.layers)
    of_token = _row(layer.key + layer.index, settings.type_k) + _row(value, settings.type_v)
    return cells * settings.streams * of_token + layer.state * settings.sequences


def compute_bytes(shape: ModelShape, settings: Settings) -> int:
    """Bytes that one computation takes beside weights and cache: an estimate."""
    tokens = settings.tokens_at_once
    # What is alive at once: the stream between layers, the inside of the widest layer, which token
    # sees which, and the scores of those tokens that are asked for.
    inside = (4 * shape.embedding + 3 * shape.feed_forward) * _F32
    outputs = min(settings.outputs or tokens, tokens)
    scores = outputs * shape.vocabulary * _F32
    return _FIXED + tokens * (inside + _attention(shape, settings)) + scores


def _attention(shape: ModelShape, settings: Settings) -> int:
    """Bytes that a token needs to look at all others."""
    cells = sum(
        settings.window_cells(shape.window) if windowed else settings.cells
        for windowed in {layer.windowed for layer in shape.layers if layer.key}
    )
    if settings.flash_attention:
        return cells * _F16
    return cells * (_F32 + shape.heads * _F32)


def _row(elements: int, kind: str) -> int:
    known = CACHE_TYPES[kind]
    return -(-elements // known.block) * known.size
