"""Licences of models: which ones bind whoever gets the weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

_CREATIVE_COMMONS = re.compile(r"cc-(by-nc(?:-nd|-sa)?)-(\d\.\d)")
_LLAMA = re.compile(r"llama(\d)(?:\.(\d))?")

_TERMS = {
    "apple-amlr": "for research only",
    "apple-ascl": "with terms of use",
    "bigcode-openrail-m": "with restrictions of use",
    "bigscience-bloom-rail-1.0": "with restrictions of use",
    "bigscience-openrail-m": "with restrictions of use",
    "creativeml-openrail-m": "with restrictions of use",
    "deepfloyd-if-license": "for research only",
    "fair-noncommercial-research-license": "not for commercial use",
    "gemma": "with terms of use",
    "grok2-community": "with terms of use",
    "h-research": "with terms of its own",
    "intel-research": "for research only",
    "openrail": "with restrictions of use",
    "openrail++": "with restrictions of use",
    "other": "with terms of its own",
    "unknown": "with terms that its card does not name",
}
"""By the Hub's identifier; those of numbered families are told by their patterns."""

_GEMMA = "https://ai.google.dev/gemma/terms"
_META = "https://github.com/meta-llama/llama-models/blob/main/models"


def warning(
    card: Mapping[str, Any], stated: str | None, page: str | None, *, gated: bool
) -> str | None:
    """What the packer's user should know of the licence before passing a bundle on.

    Args:
        card: facts of the model card.
        stated: what the GGUF says of its licence (`general.license`).
        page: address of the repository.
        gated: whether the repository asks for agreement before it gives its files.

    Returns:
        one sentence with a link; None for a licence that is open and free.
    """
    license_ = _identifier(card) or stated or ""
    terms = _terms(license_.lower())
    gated = gated or any(name.startswith("extra_gated_") for name in card)
    if terms is None and not gated:
        return None
    name = card.get("license_name") if license_ == "other" else None
    what = f"{name or license_ or 'not stated'}{f', {terms}' if terms else ''}"
    if gated:
        what += ", and its repository is gated"
    link = _link(card, license_.lower(), page)
    return f"licence of the weights: {what}{f'; see {link}' if link else ''}"


def _identifier(card: Mapping[str, Any]) -> str | None:
    stated = card.get("license", [])
    listed: list[str] = [stated] if isinstance(stated, str) else stated
    return next((one for one in listed if _terms(one.lower())), next(iter(listed), None))


def _terms(license_: str) -> str | None:
    if _CREATIVE_COMMONS.fullmatch(license_):
        return "not for commercial use"
    return "with terms of use" if _LLAMA.fullmatch(license_) else _TERMS.get(license_)


def _link(card: Mapping[str, Any], license_: str, page: str | None) -> str | None:
    stated = card.get("license_link")
    if isinstance(stated, str) and re.match(r"https?://\S+$", stated):
        return stated
    if isinstance(stated, str) and page and PurePosixPath(stated).name == stated:
        return f"{page}/blob/main/{stated}"
    if commons := _CREATIVE_COMMONS.fullmatch(license_):
        return f"https://creativecommons.org/licenses/{commons[1]}/{commons[2]}/"
    if llama := _LLAMA.fullmatch(license_):
        return f"{_META}/llama{'_'.join(filter(None, llama.groups()))}/LICENSE"
    return _GEMMA if license_ == "gemma" else page
