"""Keeps `models.ini` in step with the models that are added and removed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from packer.bundle.manifest import Model
from packer.bundle.models_ini import check_name, section_of, served_as, without
from runtime.formats.bundle import MODELS, Bundle
from runtime.formats.weights import model_stem


@dataclass(frozen=True)
class Served:
    """What a changed bundle serves by name; nothing in a bundle with one model."""

    text: str | None
    """Of `models.ini`; None: there is none."""
    changed: bool
    """Whether it is another text than before."""
    names: Mapping[str, str]
    """What each model is served as, by member."""

    def named(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """What the manifest says of a model, with this name of it."""
        other = {key: value for key, value in entry.items() if key != "served_as"}
        name = self.names.get(str(entry.get("file")))
        return other if name is None else {**other, "served_as": name}


def served_models(bundle: Bundle, removed: Collection[str], added: Iterable[Model]) -> Served:
    """What `bundle` serves without the members that are removed, and with the models added.

    Raises:
        InputError: an added model has a name that it cannot be served as.
    """
    if MODELS not in bundle.members or MODELS in removed:
        return Served(None, False, {})
    old = bundle.read(MODELS).decode(errors="replace")
    text = without(old, removed)
    for model in added:
        if model.file not in served_as(text):
            name = check_name(model_stem(model.file))
            text += ("\n" if text else "") + section_of(name, model.file)
    return Served(text or None, text != old, served_as(text))
