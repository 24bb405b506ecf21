"""Licences of models: the Hub's names for them, and the terms for everyone who gets the weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

_CREATIVE_COMMONS = re.compile(r"cc-(by-nc(?:-nd|-sa)?)-(\d\.\d)")
_LLAMA = re.compile(r"llama(\d)(?:\.(\d))?")

OTHER = "other"

# The Hub's documentation, page "Licenses".
_LISTED = """
apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0
bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause
bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0
cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0
cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0
cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1
eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc h-research
intel-research lppl-1.3c ms-pl apple-ascl apple-amlr mpl-2.0 odc-by odbl openmdw-1.0
openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license
fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2 llama3.3 llama4
grok2-community gemma unknown other
"""
KNOWN = frozenset(_LISTED.split())
"""The Hub's identifiers."""

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
"""By the Hub's identifier, without the numbered families."""

_GEMMA = "https://ai.google.dev/gemma/terms"
_META = "https://github.com/meta-llama/llama-models/blob/main/models"


def warning(
    card: Mapping[str, Any], stated: str | None, page: str | None, *, gated: bool
) -> str | None:
    """What the packer's user should know about the licence: a sentence with a link; None for a free
    licence.

    Args:
        card: facts of the model card.
        stated: `general.license` of the GGUF.
        page: address of the repository.
        gated: whether the repository asks for agreement before it gives its files.
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


def license_fields(fields: Mapping[str, Any], file: str | None) -> dict[str, str]:
    """`license`, `license_name` and `license_link` as the Hub accepts them.

    The Hub wants a name and a link with `other`, its word for licences that it does not list.

    Args:
        fields: the known facts, by the same names.
        file: name of the licence's text in the repository, if it has one.
    """
    licenses = fields.get("license")
    if isinstance(licenses, list | tuple):  # a choice between several
        licenses = " or ".join(map(str, licenses))
    stated = str(licenses or "").strip()
    name, link = fields.get("license_name"), fields.get("license_link") or file
    if stated.lower() in KNOWN - {OTHER}:
        found = {"license": stated.lower(), "license_name": name, "license_link": link}
    elif stated or name:
        name = re.sub(r"[^a-z0-9.+-]+", "-", str(name or stated).lower()).strip("-")
        found = {"license": OTHER, "license_name": name, "license_link": link}
    else:
        found = {"license_link": link}
    return {key: str(value) for key, value in found.items() if value}
