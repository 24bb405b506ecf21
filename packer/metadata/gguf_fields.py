"""What a bundle states about its model: the manifest's `card`, and the GGUF's own metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from runtime.gguf_header import Array, Header

_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_HUB = ("huggingface.co", "hf.co")


def stated(manifest: Mapping[str, Any] | None) -> dict[str, Any]:
    """The manifest's `card`, by the names of the Hub's front matter; empty where there is none."""
    card = (manifest or {}).get("card")
    return {key: value for key, value in card.items() if value} if isinstance(card, dict) else {}


def general(header: Header) -> dict[str, Any]:
    """What the header of a GGUF says of its model, by the names of the Hub's front matter.

    Keys: GGUF specification (docs/gguf.md of the ggml repository), section `general` metadata. What
    the model was converted from is its base model here; what that was fine-tuned from is only taken
    where nothing else is stated, and then without a relation.
    """
    found = {
        "description": _text(header, "general.description"),
        "language": _texts(header, "general.languages"),
        "license": _text(header, "general.license"),
        "license_link": _text(header, "general.license.link"),
        "license_name": _text(header, "general.license.name"),
        "model_creator": _text(header, "general.organization") or _text(header, "general.author"),
        "quantized_by": _text(header, "general.quantized_by"),
        "tags": _texts(header, "general.tags"),
        "title": _text(header, "general.name"),
    }
    source = _repository(header, "general.source.repo_url") or _repository(
        header, "general.source.url"
    )
    if source:
        found["base_model"] = source
        found["base_model_relation"] = "quantized"
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
        address = urlsplit(_text(header, key) or "")
    except ValueError:
        return None
    if address.hostname not in _HUB:
        return None
    name = "/".join(address.path.strip("/").split("/")[:2])
    return name if _REPO.fullmatch(name) else None


def _text(header: Header, key: str) -> str | None:
    """A text in one line: names and descriptions go into headings and front matter."""
    value = header.metadata.get(key)
    return " ".join(value.split()) or None if isinstance(value, str) else None


def _texts(header: Header, key: str) -> Sequence[str]:
    value = header.metadata.get(key)
    values = (value.values or ()) if isinstance(value, Array) else ()
    return [text for text in values if isinstance(text, str) and text]
