"""Models that people use, which `sh ci/models` fetches: one that chats, one without a template, one
that embeds."""

from __future__ import annotations

from packer.io import build_cache

_PLACE = build_cache.root() / "models"
COMPLETE = _PLACE / "complete"
"""Is there when they are; a test that needs one asks for the fixture `models`."""
SMOLLM2 = _PLACE / "SmolLM2-135M-Instruct.Q4_1.gguf"
GEMMA = _PLACE / "gemma-3-270m-q4_k_m.gguf"
MINILM = _PLACE / "all-MiniLM-L6-v2"
"""A folder as the Hub has it, with safetensors."""
