"""What a model is for: chat and text, images, embeddings, or ranking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.formats.bundle import Bundle
from runtime.formats.gguf_header import Header

# llama.cpp v0.6.0, enum llama_pooling_type in include/llama.h.
_NO_POOLING, _RANK = 0, 4


@dataclass(frozen=True)
class Task:
    """A task as the Hub knows it."""

    tag: str
    """The Hub's `pipeline_tag`."""
    generates: bool
    """Whether it writes text."""
    images: bool = False
    """Whether it takes images."""


def task(bundle: Bundle, models: Sequence[Mapping[str, Any]], header: Header) -> Task:
    """What the model with this header does, together with the bundle's projectors."""
    pooling = header.metadata.get(f"{header.metadata.get('general.architecture')}.pooling_type")
    if isinstance(pooling, int) and pooling != _NO_POOLING:
        return Task("text-ranking" if pooling == _RANK else "feature-extraction", False)
    projectors = [
        bundle.header(bundle.members[model["file"]]).metadata
        for model in models
        if model.get("kind") == "mmproj"
    ]
    # Projectors of before there was audio state nothing.
    images = any(
        found.get("clip.has_vision_encoder", "clip.has_audio_encoder" not in found)
        for found in projectors
    )
    if images:
        return Task("image-text-to-text", True, images=True)
    return Task("audio-text-to-text" if projectors else "text-generation", True)


def conversational(aim: Task, model: Mapping[str, Any]) -> bool:
    """Whether the model is for chat: it writes text, and there is a template for conversations."""
    return aim.generates and model["chat_template"] is not None
