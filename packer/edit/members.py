"""Members of an existing bundle: its models, their names in the API, the old runtime."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from packer.bundle.manifest import Model, model_entry
from packer.bundle.models_ini import check_name, section_of, served_as, without
from packer.bundle.purpose import options_of
from packer.inspection.summary import grouped
from packer.weights.inputs import Inputs
from runtime.formats.bundle import (
    FOLDERS,
    MANIFEST,
    MODELS,
    TEMPLATE,
    Bundle,
)
from runtime.formats.gguf_header import Header
from runtime.formats.model_facts import MODEL, model_facts
from runtime.formats.weights import ShardName, model_stem
from runtime.formats.zip_directory import Member


def with_shards(bundle: Bundle, names: Collection[str]) -> set[str]:
    """These members, and all shards of the models that they belong to."""
    wanted = {named.model for name in names if (named := ShardName.of(name))}
    others = {
        member.name
        for member in bundle.weights
        if (named := ShardName.of(member.name)) and named.model in wanted
    }
    return {*names, *others}


def models_in(bundle: Bundle) -> list[Model]:
    """The models among the weights of a bundle, without adapters and projectors. Raises InputError
    if a member is compressed or not a GGUF."""
    models = []
    for files in grouped((member, bundle.header(member)) for member in bundle.weights):
        facts = model_facts([header for _, header in files], sum(m.size for m, _ in files))
        if facts.kind == MODEL:
            first, header = files[0]
            own = "gguf" if shard_template(header) else None
            template = "member" if TEMPLATE in bundle.members else own
            models.append(Model(first.name, facts, template))
    return models


def shard_template(header: Header) -> bool:
    """Whether the GGUF has a chat template."""
    return model_facts([header], 0).chat_template


def with_template(entry: dict[str, Any], bundle: Bundle, present: bool) -> dict[str, Any]:
    """The facts of one model after the bundle's own template was added or removed."""
    if present:
        return {**entry, "chat_template": "member"}
    member = bundle.members.get(str(entry.get("file")))
    own = member is not None and shard_template(bundle.header(member))
    return {**entry, "chat_template": "gguf" if own else None}


def entries(bundle: Bundle, removed: Collection[str]) -> list[dict[str, Any]]:
    """The facts of the models that stay."""
    stated = (bundle.manifest or {}).get("models")
    known = stated if isinstance(stated, list) else [model_entry(m) for m in models_in(bundle)]
    return [
        entry
        for entry in known
        if isinstance(entry, dict) and str(entry.get("file")) not in removed
    ]


@dataclass(frozen=True)
class Served:
    """What a changed bundle serves by name; nothing in a bundle with one model."""

    text: str | None  # of `models.ini`; None: there is none
    changed: bool  # whether it is another text than before
    names: Mapping[str, str]  # what each model is served as, by member

    def named(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """What the manifest says of a model, with this name of it."""
        other = {key: value for key, value in entry.items() if key != "served_as"}
        name = self.names.get(str(entry.get("file")))
        return other if name is None else {**other, "served_as": name}


def served_models(bundle: Bundle, removed: Collection[str], added: Inputs) -> Served:
    """What `bundle` serves after removing and adding members. Raises InputError if an added model
    cannot be served under its name."""
    if MODELS not in bundle.members or MODELS in removed:
        return Served(None, False, {})
    old = bundle.read(MODELS).decode(errors="replace")
    text = without(old, removed)
    for model in added.models:
        if model.file not in served_as(text):
            name = check_name(model_stem(model.file))
            purpose = options_of(added.weights_of(model.file).header(), ())
            text += ("\n" if text else "") + section_of(name, model.file, purpose)
    return Served(text or None, text != old, served_as(text))


# What Mozilla's llamafile and Cosmopolitan put into their programs: symbol tables, time zones,
# sources and libraries for GPUs, pages of the server.
_COSMO_FOLDERS = ("llama.cpp/", "llamafile/", "whisper.cpp/", "third_party/", "usr/share/zoneinfo/")
_NAMES = (".cosmo", ".symtab", "usr/", "usr/share/")
_LIBRARIES = (".so", ".dll", ".dylib")


def without_runtime(members: Iterable[Member], *, ours: bool) -> list[Member]:
    """The members that an upgrade keeps; `ours`: whether llamapack made the file."""
    return [member for member in members if not is_runtime(member.name, ours=ours)]


def is_runtime(name: str, *, ours: bool) -> bool:
    """Whether a member of this name belongs to the runtime, or is always made anew."""
    if name.startswith(FOLDERS) or name == MANIFEST:
        return True
    if ours:
        return False
    at_root = "/" not in name
    return (
        name.startswith((*_COSMO_FOLDERS, ".symtab."))
        or name in _NAMES
        or (at_root and name.endswith(_LIBRARIES))
    )
