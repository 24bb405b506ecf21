"""The choices at a start that decide how much memory it takes."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.ggml_types import TENSOR_TYPES, TensorType

_PADDING = 256  # tokens; llama.cpp rounds contexts up to a multiple

CACHE_TYPES: dict[str, TensorType] = {
    known.name.lower(): known
    for known in TENSOR_TYPES.values()
    if known.name in ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "IQ4_NL", "Q5_0", "Q5_1")
}
"""What `--cache-type-k` and `--cache-type-v` take, as llama.cpp v0.4.0 lists it in `--help`."""


@dataclass(frozen=True)
class Settings:
    """As llama.cpp's flags of the same names; its defaults."""

    context: int
    """Tokens, `--ctx-size`; never 0 here."""
    sequences: int = 1
    """`--parallel`."""
    unified: bool = False
    """`--kv-unified`: all sequences share one cache."""
    batch: int = 2048
    """Tokens, `--batch-size`."""
    micro_batch: int = 512
    """Tokens, `--ubatch-size`."""
    outputs: int | None = None
    """Tokens whose scores are asked for in one step; None: all."""
    type_k: str = "f16"
    """A key of `CACHE_TYPES`."""
    type_v: str = "f16"
    full_windows: bool = False
    """`--swa-full`."""
    flash_attention: bool = True
    """False where `--flash-attn` is off."""
    cache_on_gpu: bool = True
    """False with `--no-kv-offload`."""

    @property
    def tokens_at_once(self) -> int:
        """Tokens that one step of a computation takes at most."""
        batch = min(self.context, self.batch)
        return min(batch, self.micro_batch or batch)

    @property
    def streams(self) -> int:
        """Caches of equal size."""
        return 1 if self.unified else self.sequences

    @property
    def cells(self) -> int:
        """Tokens that fit into one cache."""
        padded = _padded(self.context)
        return padded if self.unified else _padded(padded // self.sequences)

    def window_cells(self, window: int) -> int:
        """Tokens that fit into one cache of a layer that looks back over `window` tokens."""
        if self.full_windows:
            return self.cells
        sharing = self.sequences if self.unified else 1
        return _padded(min(self.cells, window * sharing + self.tokens_at_once))


def _padded(tokens: int) -> int:
    return -(-tokens // _PADDING) * _PADDING
