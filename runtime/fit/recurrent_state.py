"""Layers that keep a state of constant size instead of every token: Mamba, RWKV and their like.

From `n_embd_r`, `n_embd_s` (src/llama-hparams.cpp) and `load_arch_hparams` (src/models/*.cpp) of
llama.cpp v0.4.0. States are of the type F32.
"""

from __future__ import annotations

from collections.abc import Sequence

from runtime.fit.metadata import Metadata

_ALL = frozenset({"mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7", "falcon-h1"})
"""Architectures in which every layer has a state."""

_WITHOUT_HEADS = frozenset(
    {"jamba", "plamo2", "granitehybrid", "lfm2", "lfm2moe", "kimi-linear", "bailingmoe3", "kimi-k3"}
)
"""Those in which layers without heads for keys and values have one."""

_INTERVAL = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4, "qwen4exp": 4, "minimax-01": 8}
"""Those in which one layer of so many has none, if the header does not say otherwise."""

_F32 = 4  # bytes


def keeps_state(metadata: Metadata, number: int, layers: int, heads_kv: Sequence[int]) -> bool:
    """Whether layer `number` of so many has a state.

    Args:
        heads_kv: heads for keys and values, per layer.
    """
    architecture = metadata.architecture
    if architecture in _ALL:
        return True
    if architecture in _WITHOUT_HEADS:
        return heads_kv[number] == 0
    if architecture in ("nemotron_h", "nemotron_h_moe"):
        feed_forward = metadata.per_layer("feed_forward_length", layers) or [0] * layers
        return heads_kv[number] == 0 and feed_forward[number] == 0
    if architecture in _INTERVAL:
        stated = metadata.per_layer("attention.recurrent_layers", layers)
        if stated:
            return bool(stated[number])
        trunk = layers - (metadata.number("nextn_predict_layers") or 0)
        interval = metadata.number("full_attention_interval") or _INTERVAL[architecture]
        return number < trunk and (number + 1) % interval != 0
    return False


def state_bytes(metadata: Metadata, heads: int) -> int:
    """Bytes of one layer's state for one sequence; 0 for a model that has none.

    Args:
        heads: attention heads.
    """

    def number(key: str) -> int:
        return metadata.number(key) or 0

    embedding = number("embedding_length")
    kernel = number("ssm.conv_kernel")
    if head := number("wkv.head_size"):
        shifts = metadata.number("token_shift_count")
        return _F32 * embedding * ((2 if shifts is None else shifts) + head)
    if cached := number("shortconv.l_cache"):
        return _F32 * embedding * (cached - 1)
    if head := number("kda.head_dim"):
        convolution = 3 * (kernel - 1 if kernel else 3) * heads * head
        return _F32 * (convolution + head * head * heads)
    if metadata.architecture == "minimax-01":
        head = number("attention.key_length") or embedding // max(heads, 1)
        return _F32 * head * head * heads
    inner, state = number("ssm.inner_size"), number("ssm.state_size")
    convolution = max(kernel - 1, 0) * (inner + 2 * number("ssm.group_count") * state)
    return _F32 * (convolution + state * inner)
