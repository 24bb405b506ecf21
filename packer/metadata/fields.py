"""The facts about a model, under the names of the Hub's front matter; `card` in the manifest.

Names: the Hub's documentation, pages "Model Cards" and "Gated models". Pages of quantized models
also use `quantized_by`, `model_creator`, `prompt_template` and `history_template`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from runtime.errors import InputError
from runtime.formats.gguf_header import Array, Header

Fact = tuple[str, Any]

_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_HUB = ("huggingface.co", "hf.co")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


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
    except (TypeError, ValueError):  # TOML has dates, and `nan`
        return False
    return True


_TEXT = ("a text", _is_text)
_TEXTS = ("a text or a list of texts", lambda value: _is_text(value) or _are_texts(value))
_LIST = ("a list of texts", _are_texts)
_ANYTHING = ("made of texts, numbers, lists and tables", _is_json)

NAMES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "language": _TEXTS,
    "license": _TEXTS,
    "license_name": _TEXT,
    "license_link": _TEXT,
    "base_model": _TEXTS,
    "base_model_relation": _TEXT,
    "library_name": _TEXT,
    "pipeline_tag": _TEXT,
    "tags": _LIST,
    "model_creator": _TEXT,
    "quantized_by": _TEXT,
    "prompt_template": _TEXT,
    "history_template": _TEXT,
    "datasets": _TEXTS,
    "widget": _ANYTHING,
    "inference": _ANYTHING,
    "extra_gated_heading": _TEXT,
    "extra_gated_prompt": _TEXT,
    "extra_gated_description": _TEXT,
    "extra_gated_fields": _ANYTHING,
    "extra_gated_button_content": _TEXT,
    "model_name": _TEXT,
    "title": _TEXT,
    "description": _TEXT,
    "sections": ("a list of tables with `title` and `text`", _are_sections),
}
"""The type of each, in words and as a check."""

FIELDS = tuple(
    name for name in NAMES if name not in ("model_name", "title", "description", "sections")
)
"""The names of the front matter, in the order in which they are written."""


def carried(stated: Mapping[str, Any]) -> dict[str, Any]:
    """The known fields of a card's front matter that have the right type."""
    return {
        name: stated[name]
        for name, (_, check) in NAMES.items()
        if not is_empty(stated.get(name)) and check(stated[name])
    }


def merged(stated: Mapping[str, Any], given: Iterable[Fact]) -> dict[str, Any]:
    """Facts of the base model's card, overridden by the user's; empty ones are left out."""
    together = {**stated, **dict(given)}
    return {name: value for name, value in together.items() if not is_empty(value)}


def checked(name: str, value: Any) -> Fact:
    """A fact of the user. Raises InputError if there is no such fact, or it is of another type."""
    if name not in NAMES:
        raise InputError(f"a card has no field {name!r}", f"It has {', '.join(NAMES)}.")
    what, check = NAMES[name]
    if not is_empty(value) and not check(value):
        raise InputError(f"card field {name} is {value!r}, not {what}", "Correct its value.")
    return name, value


def is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def stated(manifest: Mapping[str, Any] | None) -> dict[str, Any]:
    """The manifest's `card`, by the names of the Hub's front matter; empty where there is none."""
    card = (manifest or {}).get("card")
    return {k: v for k, v in card.items() if v} if isinstance(card, dict) else {}


def general(header: Header) -> dict[str, Any]:
    """The facts in the header of a GGUF, by the names of the Hub's front matter.

    Keys: GGUF specification (docs/gguf.md of the ggml repository), section `general` metadata. The
    model that it was converted from is the base model; a model that this was fine-tuned from is
    taken only if nothing else is stated, and then without a relation.
    """
    found = {
        "description": _line(header, "general.description"),
        "language": _lines(header, "general.languages"),
        "license": _line(header, "general.license"),
        "license_link": _line(header, "general.license.link"),
        "license_name": _line(header, "general.license.name"),
        "model_creator": _line(header, "general.organization") or _line(header, "general.author"),
        "quantized_by": _line(header, "general.quantized_by"),
        "tags": _lines(header, "general.tags"),
        "title": _line(header, "general.name"),
    }
    sources = [_repository(header, f"general.source.{key}") for key in ("repo_url", "url")]
    if source := sources[0] or sources[1]:
        found |= {"base_model": source, "base_model_relation": "quantized"}
    else:
        found["base_model"] = _bases(header)
    return {key: value for key, value in found.items() if value}


def _bases(header: Header) -> str | list[str] | None:
    count = header.metadata.get("general.base_model.count")
    numbers = range(min(count, 64) if isinstance(count, int) else 0)
    bases = [_repository(header, f"general.base_model.{number}.repo_url") for number in numbers]
    known = [base for base in bases if base]
    return known[0] if len(known) == 1 else known or None


def _repository(header: Header, key: str) -> str | None:
    """`ORG/NAME` of an address on the Hub."""
    try:
        address = urlsplit(_line(header, key) or "")
    except ValueError:
        return None
    if address.hostname not in _HUB:
        return None
    name = "/".join(address.path.strip("/").split("/")[:2])
    return name if _REPO.fullmatch(name) else None


def _line(header: Header, key: str) -> str | None:
    """A text as one line, for headings and front matter."""
    value = header.metadata.get(key)
    return " ".join(value.split()) or None if isinstance(value, str) else None


def _lines(header: Header, key: str) -> Sequence[str]:
    value = header.metadata.get(key)
    values = (value.values or ()) if isinstance(value, Array) else ()
    return [text for text in values if isinstance(text, str) and text]
