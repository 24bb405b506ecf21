"""Model cards: their fenced blocks, one as they were before GGUF files had chat templates, and the
rules that the Hub has for their metadata."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from huggingface_hub import ModelCard, ModelCardData

from packer.metadata.licenses import KNOWN

GEMMA_CARD = """\
---
license: other
license_link: LICENSE
library_name: transformers
base_model: google/gemma-2-2b-it
prompt_template: |
  <start_of_turn>system
  {{prompt}}<end_of_turn>
  {{history}}
  <start_of_turn>{{char}}
history_template: |
  <start_of_turn>{{name}}
  {{message}}<end_of_turn>
tags:
- llamafile
- conversational
---

# Gemma v2 2b Instruct - llamafile
"""
"""As Mozilla's card of Gemma 2 2B has it."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#{2,3} (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    heading: str
    """Of the section that it is in."""
    language: str
    text: str

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


def blocks(card: str) -> list[Block]:
    """All blocks of the card's own part: what follows its second rule is the base model's."""
    own = re.split(r"^---$", card, maxsplit=3, flags=re.MULTILINE)[2]
    found = []
    for fence in _FENCE.finditer(own):
        heading = [match[1] for match in _HEADING.finditer(own, 0, fence.start())]
        found.append(Block(heading[-1] if heading else "", fence[1], fence[2]))
    return found


# From the Hub's documentation, pages "Model Cards" and "Licenses"; the Hub checks them at a commit.
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
