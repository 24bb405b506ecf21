"""Models that people use, which `sh ci/models` fetches: one that chats, one without a template, one
that embeds."""

from __future__ import annotations

import pytest

from packer.io import build_cache


_PLACE = build_cache.root() / "models"
SMOLLM2 = _PLACE / "SmolLM2-135M-Instruct.Q4_1.gguf"
GEMMA = _PLACE / "gemma-3-270m-q4_k_m.gguf"
MINILM = _PLACE / "all-MiniLM-L6-v2"
"""A folder as the Hub has it, with safetensors."""


@pytest.fixture(scope="session")
def real_models() -> None:
    """They are there."""
    if not (_PLACE / "complete").exists():
        pytest.fail("the models are missing; run `sh ci/models`")
