"""What of a model decides how much memory it takes: its layers, one by one.

Rules: `load_hparams`, `create_memory` and `llama_hparams` of llama.cpp v0.4.0 (src/llama-model.cpp,
src/llama-hparams.cpp). An architecture that they treat in a way of its own and that is not
mentioned here is taken for one with full attention in every layer, which needs more, not less.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from runtime.errors import InputError
from runtime.fit.attention_windows import windows
from runtime.fit.metadata import Metadata
from runtime.fit.recurrent_state import keeps_state, state_bytes
from runtime.gguf_header import Header

_BLOCK = re.compile(r"blk\.(\d+)\.")
_OUTPUT = ("output.", "output_norm.")

_WITHOUT_CACHE = frozenset(
    {
        "bert",
        "jina-bert-v2",
        "jina-bert-v3",
        "nomic-bert",
        "nomic-bert-moe",
        "neo-bert",
        "eurobert",
        "wavtokenizer-dec",
        "modern-bert",
        "gemma-embedding",
        "dream",
        "llada",
        "llada-moe",
        "rnd1",
    }
)
"""Models that see all their tokens at once, and keep none."""

_SKIPS_NEXTN = frozenset(
    {
        "step35",
        "hy_v3",
        "glm-dsa",
        "mimo2",
        "deepseek32",
        "qwen3next",
        "qwen35",
        "qwen35moe",
        "qwen4exp",
        "minimax-01",
    }
)
"""Models whose layers for predicting further tokens (`nextn_predict_layers`) keep nothing."""

_MOST_LAYERS = 512  # LLAMA_MAX_LAYERS
_GEMMA3N_LAYERS = 20  # the others share the keys and values of these


@dataclass(frozen=True)
class Layer:
    """One layer of a model."""

    weights: int
    """Bytes."""
    key: int
    """Elements that are kept of each token."""
    value: int
    """The same, of the values."""
    index: int
    """The same, of the keys of an index for sparse attention."""
    windowed: bool
    """Whether only the tokens of a window are kept."""
    state: int
    """Bytes that are kept of each sequence, however long it is."""


@dataclass(frozen=True)
class ModelShape:
    """All that the estimate needs to know of a model."""

    layers: tuple[Layer, ...]
    window: int
    """Tokens that windowed layers look back; 0: there are none."""
    input_weights: int
    """Bytes of what is in no layer and never on a GPU: the embeddings of tokens."""
    output_weights: int
    """Bytes of what follows the last layer."""
    copied_output: int
    """Bytes of embeddings that serve as output too: a GPU gets a copy of them."""
    vocabulary: int
    """Tokens."""
    embedding: int
    """Elements of one token between layers."""
    feed_forward: int
    """Elements of one token inside the widest layer."""
    heads: int
    """Attention heads of the layer that has most."""
    context_length: int | None
    """Tokens that the model was trained for, if the header states it."""

    @property
    def weights(self) -> int:
        """Bytes of all tensors."""
        inside = sum(layer.weights for layer in self.layers)
        return self.input_weights + inside + self.output_weights


def model_shape(headers: Sequence[Header]) -> ModelShape:
    """The shape of the model whose shards have these headers, the first shard's first.

    Raises:
        InputError: it has more layers than engines take.
    """
    metadata = Metadata(headers[0])
    count = metadata.number("block_count") or 0
    if count > _MOST_LAYERS:
        raise InputError(
            f"the model's header states {count:,} layers; engines take {_MOST_LAYERS} at most",
            "Download or copy the file again.",
        )
    weights, inputs, outputs, copied = _weights(headers, count)
    heads = metadata.per_layer("attention.head_count", count) or [0] * count
    heads_kv = metadata.per_layer("attention.head_count_kv", count) or heads
    window = windows(metadata, count)
    state = state_bytes(metadata, max(heads, default=0))
    layers = []
    for number in range(count):
        keeps = _keeps(metadata, number, count)
        recurrent = keeps_state(metadata, number, count, heads_kv)
        attends = keeps and (not recurrent or metadata.architecture == "falcon-h1")
        key, value = _head_sizes(metadata, heads, windowed=window.layers[number])
        index = metadata.number("attention.indexer.key_length") or 0
        kept = heads_kv[number] if attends else 0
        layers.append(
            Layer(
                weights=weights[number],
                key=key * kept,
                value=value * kept,
                index=index if kept else 0,
                windowed=window.layers[number],
                state=state if recurrent else 0,
            )
        )
    return ModelShape(
        layers=tuple(layers),
        window=window.size,
        input_weights=inputs,
        output_weights=outputs,
        copied_output=copied,
        vocabulary=metadata.vocabulary,
        embedding=metadata.number("embedding_length") or 0,
        feed_forward=max(metadata.per_layer("feed_forward_length", count) or [0], default=0),
        heads=max(heads, default=0),
        context_length=metadata.number("context_length"),
    )


def _weights(headers: Sequence[Header], count: int) -> tuple[list[int], int, int, int]:
    """Bytes of tensors: of each layer, before the layers, behind them, and of what is both."""
    layers, inputs, outputs = [0] * count, 0, 0
    sizes = {tensor.name: tensor.size or 0 for header in headers for tensor in header.tensors}
    for name, size in sizes.items():
        block = _BLOCK.match(name)
        if block and int(block[1]) < count:
            layers[int(block[1])] += size
        elif name.startswith(_OUTPUT):
            outputs += size
        else:
            inputs += size
    copied = 0 if "output.weight" in sizes else sizes.get("token_embd.weight", 0)
    return layers, inputs, outputs, copied


def _keeps(metadata: Metadata, number: int, count: int) -> bool:
    """Whether a layer keeps anything of the tokens it has seen."""
    architecture = metadata.architecture
    if architecture in _WITHOUT_CACHE:
        return False
    if architecture == "gemma3n":
        return number < _GEMMA3N_LAYERS
    if architecture == "gemma4":
        return number < count - (metadata.number("attention.shared_kv_layers") or 0)
    if architecture in _SKIPS_NEXTN:
        return number < count - (metadata.number("nextn_predict_layers") or 0)
    return True


def _head_sizes(metadata: Metadata, heads: Sequence[int], *, windowed: bool) -> tuple[int, int]:
    """Elements of one head's key and of its value."""
    # The first layer's number of heads divides, even if others have another.
    usual = (metadata.number("embedding_length") or 0) // heads[0] if heads and heads[0] else 0
    sizes = []
    for name in ("key", "value"):
        size = metadata.number(f"attention.{name}_length")
        of_window = metadata.number(f"attention.{name}_length_swa") if windowed else None
        sizes.append(of_window or (usual if size is None else size))
    key, value = sizes
    if metadata.number("attention.key_length_mla") and metadata.number(
        "attention.value_length_mla"
    ):
        value = 0  # multi-head latent attention computes the values from the keys
    return key, value
