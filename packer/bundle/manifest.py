"""The manifest `llamapack.json`: what a bundle contains and its origin. Format:
docs/bundle-format.md, section Manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import packer
from packer.engines.front import Front
from packer.head.windows_exe import CMD
from packer.zip.writer import Record
from runtime.errors import InputError
from runtime.formats.bundle import Engine
from runtime.formats.json_input import MALFORMED, is_count
from runtime.formats.model_facts import ModelFacts

FORMAT = 1


@dataclass(frozen=True)
class Model:
    """One model in the bundle."""

    file: str  # name of its member, of the first shard's if there are several
    facts: ModelFacts
    chat_template: str | None  # where its template comes from: `gguf`, `member`, or None
    served_as: str | None = None  # what the API calls it, in a bundle that serves several models


def facts(
    name: str, models: Sequence[Model], card: Mapping[str, Any], recipe: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The facts of a new bundle, without head and members. Without a card or recipe there is no
    such key."""
    return {
        **({"card": dict(card)} if card else {}),
        "format": FORMAT,
        "models": [model_entry(model) for model in models],
        "name": name,
        **({} if recipe is None else {"recipe": dict(recipe)}),
    }


def encode(stated: Mapping[str, Any], records: Iterable[Record]) -> bytes:
    """The bytes of a manifest: what is stated, and members and tool."""
    document = {
        **stated,
        "members": member_entries(records),
        "tool": f"llamapack {packer.__version__}",
    }
    text = json.dumps(document, sort_keys=True, indent=2, ensure_ascii=False)
    return f"{text}\n".encode()


def engine_entries(engines: Mapping[Engine, str]) -> dict[str, Any]:
    """The engines, each with its llama.cpp release."""
    return {
        engine.target: {
            "files": engine.files,
            "id": engine.id,
            "llama.cpp": release,
            "size": engine.size,
        }
        for engine, release in engines.items()
    }


def front_entry(front: Front) -> dict[str, Any]:
    """The facts of head and stubs."""
    return {
        "program": front.program,
        "sha256": hashlib.sha256(front.data).hexdigest(),
        "size": len(front.data),
        **({"windows": CMD} if front.stubs else {}),
    }


def member_entries(records: Iterable[Record]) -> dict[str, Any]:
    """The facts of members."""
    return {
        record.name: {"sha256": record.digest.sha256, "size": record.digest.size}
        for record in records
    }


def expected(manifest: Mapping[str, Any], where: str) -> dict[str, tuple[int, str]]:
    """Size in bytes and SHA-256 of every member, from a parsed manifest. Raises InputError if it
    has a later format or another shape."""
    version = manifest.get("format")
    if version != FORMAT:
        raise InputError(
            f"{where} is of bundle format {version!r}; this llamapack knows {FORMAT}",
            "Upgrade llamapack.",
        )
    try:
        return {name: _expected(facts) for name, facts in manifest["members"].items()}
    except MALFORMED:
        raise InputError(
            f"the manifest of {where} has an invalid list of members",
            "Download or copy the file again.",
        ) from None


def _expected(facts: Any) -> tuple[int, str]:
    size, sha256 = facts["size"], facts["sha256"]
    if not is_count(size) or not isinstance(sha256, str):
        raise ValueError(facts)
    return size, sha256


def llama_cpp_releases(manifest: Mapping[str, Any]) -> set[str]:
    """The llama.cpp releases that its engines state."""
    engines = manifest.get("engines")
    entries = engines.values() if isinstance(engines, dict) else ()
    return {
        str(facts["llama.cpp"])
        for facts in entries
        if isinstance(facts, dict) and "llama.cpp" in facts
    }


def has_cmd(manifest: Mapping[str, Any]) -> bool:
    """Whether Windows starts the file by cmd.exe."""
    front = manifest.get("front")
    return isinstance(front, dict) and front.get("windows") == CMD


def expected_front(manifest: Mapping[str, Any]) -> tuple[int, str] | None:
    """Size in bytes and SHA-256 of the bytes before the archive; None if not stated."""
    front = manifest.get("front")
    if not isinstance(front, dict):
        return None
    size, sha256 = front.get("size"), front.get("sha256")
    return (size, sha256) if is_count(size) and isinstance(sha256, str) else None


def model_entry(model: Model) -> dict[str, Any]:
    """The facts of one model."""
    facts = model.facts
    named = {} if model.served_as is None else {"served_as": model.served_as}
    return {
        **named,
        "architecture": facts.architecture,
        "chat_template": model.chat_template,
        "context_length": facts.context_length,
        "file": model.file,
        "license": facts.license,
        "name": facts.name,
        "parameters": facts.parameters,
        "quantization": facts.quantization,
        "size": facts.size,
    }
