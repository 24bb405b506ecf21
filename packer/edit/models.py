"""What the manifest of a changed bundle says of its models."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from packer.bundle.manifest import Model, model_entry
from runtime.formats.bundle import TEMPLATE, Bundle
from runtime.formats.gguf_header import Header
from runtime.formats.model_facts import MODEL, model_facts, shard
from runtime.formats.weights import ShardName


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
    """The models among the weights of a bundle; adapters and projectors are none.

    Raises:
        InputError: a member is not a GGUF, or compressed.
    """
    groups: dict[tuple[str, int], list[tuple[str, Header, int]]] = {}
    for member in bundle.weights:
        header = bundle.header(member)
        named = ShardName.of(member.name) if shard(header) else None
        key = named.model if named else (member.name, 1)
        groups.setdefault(key, []).append((member.name, header, member.size))
    models = []
    for files in groups.values():
        name, first, _ = files[0]
        facts = model_facts([header for _, header, _ in files], sum(size for *_, size in files))
        if facts.kind == MODEL:
            own = "gguf" if shard_template(first) else None
            models.append(Model(name, facts, "member" if TEMPLATE in bundle.members else own))
    return models


def shard_template(header: Header) -> bool:
    """Whether the GGUF holds a chat template."""
    return model_facts([header], 0).chat_template


def with_template(entry: dict[str, Any], bundle: Bundle, present: bool) -> dict[str, Any]:
    """What the manifest says of one model, after the bundle's own template was added or removed."""
    if present:
        return {**entry, "chat_template": "member"}
    member = bundle.members.get(str(entry.get("file")))
    own = member is not None and shard_template(bundle.header(member))
    return {**entry, "chat_template": "gguf" if own else None}


def entries(bundle: Bundle, removed: Collection[str]) -> list[dict[str, Any]]:
    """What the manifest says of the models that stay."""
    stated = (bundle.manifest or {}).get("models")
    known = stated if isinstance(stated, list) else [model_entry(m) for m in models_in(bundle)]
    return [
        entry
        for entry in known
        if isinstance(entry, dict) and str(entry.get("file")) not in removed
    ]
