"""Card, licences, sampling and context of a model, for its bundle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packer.bundle.args import CONTEXT, Pair
from packer.bundle.contents import check_member_name
from packer.bundle.request import PackRequest
from packer.io.sources import BytesSource, Source
from packer.metadata import fields, sampling
from packer.metadata.licenses import warning
from packer.weights.documents import Documents, SmallFile, small_file
from packer.weights.selection import ChosenWeights
from runtime.errors import InputError
from runtime.formats.bundle import BASE_CARD, LICENSES

NO_CARD = "none"


@dataclass(frozen=True)
class ModelMetadata:
    """The facts that one bundle states about its model."""

    card: Mapping[str, Any]
    """Facts, for the manifest."""
    members: Mapping[str, Source]
    """The base model's card and the licences, by member name."""
    options: Sequence[Pair]
    """Context size and sampling defaults, for `.args`."""
    sampling: Mapping[str, Any]
    """The sampling defaults by the names of Hugging Face."""
    warning: str | None
    """The terms of the licence, in a sentence."""


def read_metadata(request: PackRequest, weights: ChosenWeights) -> ModelMetadata:
    """Read cards and licences. Raises InputError if a file is missing or broken."""
    own, base = weights.documents, weights.card_documents
    file = _card_file(own, base, request.card)
    stated = stated_by(file) if file else {}
    if base and not _is_quantized(stated):
        stated = {**stated, "base_model": base.repo, "base_model_relation": "quantized"}
    card = fields.merged(stated, request.card_field)
    sources = [one for one in (base, own) if one]
    generation = next((one.generation for one in sources if one.generation), {})
    settings = sampling.merged(sampling.recommended(generation, stated), request.sampling)
    context = [] if request.ctx_size is None else [Pair(CONTEXT, str(request.ctx_size))]
    models = weights.inputs.models
    return ModelMetadata(
        card=card,
        members=_members(file, request.license, [one for doc in sources for one in doc.licenses]),
        options=[*context, *sampling.pairs(settings)],
        sampling=settings,
        warning=warning(
            card,
            next((model.facts.license for model in models), None),
            next((one.page for one in sources), None),
            gated=any(one.gated for one in sources),
        ),
    )


def stated_by(card: SmallFile) -> dict[str, Any]:
    """The facts in the front matter of a card. Raises InputError if it is not text, or its YAML is
    broken."""
    from packer.metadata.front_matter import front_matter  # and a YAML library

    return fields.carried(front_matter(card.text, card.origin))


def _card_file(own: Documents | None, base: Documents | None, card: str | None) -> SmallFile | None:
    if base:
        if base.card is None:
            raise InputError(
                f"hf:{base.repo} has no model card", "Name a file with `--card`, or `none`."
            )
        return base.card
    if card == NO_CARD:
        return None
    return small_file(card) if card else own.card if own else None


def _is_quantized(stated: Mapping[str, Any]) -> bool:
    """Whether a card is about a quantized model, so that its `base_model` is also the bundle's."""
    return "base_model" in stated and (
        stated.get("base_model_relation") == "quantized"
        or "quantized_by" in stated
        or "gguf" in stated.get("tags", [])
    )


def _members(
    card: SmallFile | None, licenses: Iterable[str], found: Iterable[SmallFile]
) -> dict[str, Source]:
    members: dict[str, Source] = {BASE_CARD: BytesSource(card.data)} if card else {}
    for file in map(small_file, licenses):
        name = f"{LICENSES}{check_member_name(file.name)}"
        if name in members:
            raise InputError(f"two licences would be member {name}", "Rename one of them.")
        members[name] = BytesSource(file.data)
    for file in found:
        members.setdefault(f"{LICENSES}{file.name}", BytesSource(file.data))
    return members
