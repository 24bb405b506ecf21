"""Documents about a model in its repository: card, licences, sampling defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packer.engines.license_files import license_files
from packer.weights.small_files import SmallFile, check_size, from_disk
from runtime.errors import InputError
from runtime.formats.json_input import parse_json

if TYPE_CHECKING:
    from runtime.hub.hub import Hub, HubModel

_CARD, _GENERATION = "README.md", "generation_config.json"


@dataclass(frozen=True)
class Documents:
    """The documents of one repository."""

    repo: str
    """`ORG/NAME`."""
    page: str
    """Its address."""
    gated: bool
    card: SmallFile | None
    licenses: list[SmallFile] = field(default_factory=list)
    generation: Mapping[str, Any] = field(default_factory=dict)
    """Contents of `generation_config.json`."""


def documents_of(hub: Hub, model: HubModel) -> Documents:
    """Download the documents of a repository; absent ones are missing in the result.

    Raises:
        InputError: one of them cannot be downloaded, or is not a document.
    """
    files = model.listing.files

    def fetched(file: str) -> SmallFile:
        origin = f"hf:{model.word.repo}/{file}"
        size = files[file].size
        if size is None and not hub.here(model, file):
            raise InputError(f"the Hub does not state the size of {origin}", "Check HF_ENDPOINT.")
        check_size(size or 0, origin)  # before gigabytes come
        return from_disk(hub.path(model, file), origin)

    return Documents(
        repo=model.word.repo,
        page=hub.page(model.word),
        gated=model.listing.gated,
        card=fetched(_CARD) if _CARD in files else None,
        licenses=[fetched(file) for file in license_files(files)],
        generation=_generation(fetched(_GENERATION)) if _GENERATION in files else {},
    )


def _generation(file: SmallFile) -> dict[str, Any]:
    """Its contents; none if it is not a JSON object, since nobody but its author could fix it."""
    try:
        found = parse_json(file.data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
