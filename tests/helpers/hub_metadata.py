"""The rules that the Hub has for the metadata of a model's card, as its documentation states them
(pages "Model Cards" and "Licenses"); the Hub itself checks them when a card is committed."""

from __future__ import annotations

import re
from typing import Any

from huggingface_hub import ModelCard, ModelCardData

from packer.metadata.licenses import KNOWN

_REPO = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_NAME = re.compile(r"[a-z0-9][a-z0-9.+-]*")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]+)?|code|multilingual")
_RELATIONS = {"adapter", "finetune", "merge", "quantized"}
_PIPELINES = {
    "audio-text-to-text",
    "feature-extraction",
    "image-text-to-text",
    "sentence-similarity",
    "text-generation",
    "text-ranking",
}


def metadata_errors(content: str) -> list[str]:
    """What is wrong with the metadata of a card."""
    try:
        card = ModelCard(content)
    except Exception as problem:
        return [f"unreadable: {problem}"]
    if not isinstance(card.data, ModelCardData):
        return ["no model's metadata"]
    data: dict[str, Any] = card.data.to_dict()
    rules = {
        "license": lambda value: value in KNOWN,
        "license_name": lambda value: bool(_NAME.fullmatch(value)),
        "license_link": lambda value: value == "LICENSE" or value.startswith("https://"),
        "base_model": lambda value: all(_REPO.fullmatch(one) for one in _list(value)),
        "base_model_relation": lambda value: value in _RELATIONS and "base_model" in data,
        "language": lambda value: all(_LANGUAGE.fullmatch(one) for one in _list(value)),
        "library_name": lambda value: bool(_NAME.fullmatch(value)),
        "pipeline_tag": lambda value: value in _PIPELINES,
        "tags": lambda value: isinstance(value, list) and all(isinstance(t, str) for t in value),
        "widget": lambda value: isinstance(value, list),
        "inference": lambda value: isinstance(value, bool | dict),
    }
    wrong = [
        f"{key}: {data[key]!r}"
        for key, rule in rules.items()
        if key in data and not rule(data[key])
    ]
    if data.get("license") == "other" and not {"license_name", "license_link"} <= data.keys():
        wrong.append("license: other, without name or link")
    return wrong


def _list(value: object) -> list[str]:
    return value if isinstance(value, list) else [str(value)]
