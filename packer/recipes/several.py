"""What a recipe says of a bundle that serves several models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from packer import models_preset
from packer.default_args import Lora
from runtime.args_file import quote
from runtime.bundle import MODELS, Bundle


def several(bundle: Bundle) -> Iterator[tuple[str, Any]]:
    """Keys and values, each a table by the name that a model is served as."""
    sections = models_preset.read(bundle.read(MODELS).decode(errors="replace"))
    stated: dict[str, Any] = {
        "models": {one.name: member_source(bundle, one.model) for one in sections},
        "mmproj": {one.name: member_source(bundle, one.mmproj) for one in sections if one.mmproj},
        "lora": [_lora(bundle, one.name, lora) for one in sections for lora in one.loras],
        "draft": {
            one.name: member_source(bundle, one.draft.member) for one in sections if one.draft
        },
        "model-args": {one.name: " ".join(map(quote, one.args)) for one in sections if one.args},
    }
    yield from ((key, value) for key, value in stated.items() if value)


def member_source(bundle: Bundle, member: str) -> str:
    """What names a member of the bundle where `pack` takes a source."""
    return f"{bundle.path.as_posix()}:{member}"


def _lora(bundle: Bundle, model: str, lora: Lora) -> dict[str, Any]:
    table: dict[str, Any] = {"file": member_source(bundle, lora.member), "model": model}
    if lora.scale is not None:
        table["scale"] = float(lora.scale)
    return table
