"""Which layers of a model look back over a short window only, and so keep few tokens.

From `load_arch_hparams` of src/models/*.cpp in llama.cpp v0.4.0: the header states how long the
window is and sometimes which layers have it; the rest is known by architecture.
"""

from __future__ import annotations

from dataclasses import dataclass

from runtime.fit.metadata import Metadata

_WINDOW, _PATTERN = "attention.sliding_window", "attention.sliding_window_pattern"


@dataclass(frozen=True)
class _Rule:
    """How an architecture lays windowed and full layers out."""

    period: int = 0
    """One layer of so many is full; 0: an array in the header says it, or all are windowed."""
    full_first: bool = False
    """Whether the full layer is the first of its period instead of the last."""
    default: int = 0
    """Tokens, where the header does not state the window."""
    fixed: int = 0
    """Tokens, whatever the header states, unless that is 0."""
    array: bool = False
    """Whether an array in the header is heeded."""
    only_from: int = 0
    """Layers that a model must have for this."""


_RULES = {
    "afmoe": _Rule(4),
    "cohere2": _Rule(4),
    "cohere2moe": _Rule(4, full_first=True, array=True),
    "exaone-moe": _Rule(4, default=128),
    "exaone4": _Rule(4, default=4096, only_from=64),
    "gemma2": _Rule(2, default=4096),
    "gemma3": _Rule(6),
    "gemma3n": _Rule(5),
    "gemma4": _Rule(array=True),
    "gpt-oss": _Rule(2),
    "granite_swa": _Rule(array=True),
    "laguna": _Rule(4, full_first=True),
    "lfm2": _Rule(),
    "llama4": _Rule(4, default=8192, fixed=8192),
    "mellum": _Rule(4, array=True),
    "mimo2": _Rule(array=True),
    "muse-glimmer": _Rule(4, array=True),
    "olmo2": _Rule(4),
    "plamo3": _Rule(8),
    "smallthinker": _Rule(4, full_first=True, fixed=4096),
    "step35": _Rule(array=True),
}


@dataclass(frozen=True)
class Windows:
    """The windows of one model."""

    size: int
    """Tokens; 0 if no layer has one."""
    layers: tuple[bool, ...]
    """Whether each layer has it."""


def windows(metadata: Metadata, layers: int) -> Windows:
    """The windows of a model with so many layers; none for an architecture that is not known."""
    none = Windows(0, (False,) * layers)
    rule = _RULES.get(metadata.architecture)
    if rule is None or layers < rule.only_from:
        return none
    stated = metadata.number(_WINDOW)
    size = rule.default if stated is None else stated and (rule.fixed or stated)
    if not size:
        return none
    if rule.array and metadata.is_array(_PATTERN):
        pattern = metadata.per_layer(_PATTERN, layers)
        return Windows(size, tuple(map(bool, pattern))) if pattern else none
    period = metadata.number(_PATTERN) or rule.period
    if rule.full_first:
        return Windows(size, tuple(period == 0 or n % period != 0 for n in range(layers)))
    return Windows(size, tuple(period == 0 or n % period < period - 1 for n in range(layers)))
