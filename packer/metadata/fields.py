"""The facts of a model card: manifest key `card`, under the names of the Hub's front matter.

Names: "Model Card Guide" of the Hub (`modelcard.md` of huggingface_hub); `quantized_by`,
`model_creator`, `prompt_template` and `history_template` are in use on pages of quantized models.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from packer.metadata.front_matter import parsed
from runtime.errors import InputError

Fact = tuple[str, Any]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_text_or_texts(value: Any) -> bool:
    return _is_text(value) or _are_texts(value)


def _are_sections(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, dict)
        and one.keys() == {"title", "text"}
        and all(map(_is_text, one.values()))
        for one in value
    )


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):  # TOML has dates, and numbers that are none
        return False
    return True


_TEXT = ("a text", _is_text)
_TEXTS = ("a text or a list of texts", _is_text_or_texts)
_LIST = ("a list of texts", _are_texts)
_ANYTHING = ("made of texts, numbers, lists and tables", _is_json)

NAMES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "base_model": _TEXTS,
    "base_model_relation": _TEXT,
    "datasets": _TEXTS,
    "description": _TEXT,
    "extra_gated_button_content": _TEXT,
    "extra_gated_description": _TEXT,
    "extra_gated_fields": _ANYTHING,
    "extra_gated_heading": _TEXT,
    "extra_gated_prompt": _TEXT,
    "history_template": _TEXT,
    "inference": _ANYTHING,
    "language": _TEXTS,
    "library_name": _TEXT,
    "license": _TEXTS,
    "license_link": _TEXT,
    "license_name": _TEXT,
    "model_creator": _TEXT,
    "model_name": _TEXT,
    "pipeline_tag": _TEXT,
    "prompt_template": _TEXT,
    "quantized_by": _TEXT,
    "sections": ("a list of tables with `title` and `text`", _are_sections),
    "tags": _LIST,
    "title": _TEXT,
    "widget": _ANYTHING,
}
"""What each must be, in words and as a check."""


def carried(stated: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a card's front matter: known names with values of the right type."""
    return {
        name: stated[name]
        for name, (_, check) in NAMES.items()
        if not _is_empty(stated.get(name)) and check(stated[name])
    }


def merged(stated: Mapping[str, Any], given: Iterable[Fact]) -> dict[str, Any]:
    """Facts of the base model's card with those that the packer's user gives; empty ones go."""
    together = {**stated, **dict(given)}
    return {name: value for name, value in together.items() if not _is_empty(value)}


def checked(name: str, value: Any) -> Fact:
    """A fact as the user gives it.

    Raises:
        InputError: there is no such fact, or it is of another type.
    """
    if name not in NAMES:
        raise InputError(f"a card has no field {name!r}", f"It has {', '.join(NAMES)}.")
    what, check = NAMES[name]
    if not _is_empty(value) and not check(value):
        raise InputError(f"card field {name} is {value!r}, not {what}", "Correct its value.")
    return name, value


def field(word: str) -> Fact:
    """`NAME=YAML` of the command line.

    Raises:
        argparse.ArgumentTypeError: it is no such word.
    """
    name, sign, text = word.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"{word!r} is not NAME=VALUE")
    try:
        return checked(name, parsed(text, f"card field {name}"))
    except InputError as problem:
        raise argparse.ArgumentTypeError(f"{problem.message}. {problem.tip}") from None


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})
