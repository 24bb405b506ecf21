"""Writes the recipe of a bundle: packing it makes the same bundle out of its own members."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tomli_w

from packer.bundle.args import member_in
from packer.bundle.manifest import expected, has_cmd
from packer.bundle.recipe import divided, of_bundle
from packer.engines.front import APE, kind_of
from packer.head.windows_exe import CMD
from packer.metadata.fields import NAMES
from packer.metadata.model_metadata import stated_by
from packer.recipes.fields import FIELDS
from packer.weights.documents import SmallFile
from runtime.console import printable
from runtime.errors import InputError, shell_word
from runtime.formats.args_file import parse, refused
from runtime.formats.bundle import (
    ARGS,
    BASE_CARD,
    FOLDERS,
    GPU,
    GPU_SOURCES,
    LICENSES,
    MANIFEST,
    MODELS,
    TEMPLATE,
    Bundle,
)
from runtime.formats.gguf_header import Header
from runtime.formats.json_input import MALFORMED
from runtime.formats.model_facts import shard

_OURS = (*FOLDERS, LICENSES)
_ALSO_OURS = {ARGS, BASE_CARD, MANIFEST, MODELS, TEMPLATE}


def recipe(path: Path) -> str:
    """The recipe of the bundle at `path`, as TOML that names the bundle by this path. Raises
    InputError if llamapack did not make it, or it is damaged."""
    with Bundle.open(path) as bundle:
        manifest = bundle.manifest
        if manifest is None:
            raise InputError(
                f"{path} was not made by llamapack, so it has no recipe",
                f"Run `llamapack upgrade {shell_word(path)}` first.",
            )
        expected(manifest, str(path))
        try:
            return _text(bundle, manifest)
        except InputError:
            raise
        except MALFORMED:
            raise InputError(
                f"the manifest of {path} does not state its models or recipe as it should",
                "Download or copy the file again.",
            ) from None


def _text(bundle: Bundle, manifest: Mapping[str, Any]) -> str:
    recorded = of_bundle(bundle)
    told = divided(bundle) if recorded is None else recorded
    stated = _of_the_model(bundle, manifest) | _told(bundle, told)
    stated |= _of_the_runtime(bundle, manifest) | _tables(bundle, manifest, told)
    document = {key: value for key, value in stated.items() if value not in (None, "", [])}
    plain = tomli_w.dumps(document)
    # In its multi-line texts the library makes one newline of `\r\n`.
    toml = plain if "\\r" in plain else tomli_w.dumps(document, multiline_strings=True)
    left_out = _left_out(bundle, document)
    if recorded is None and MODELS in bundle.members:
        left_out.append(f"what {MODELS} says of the models")
    own = refused(parse(told.get("args", "")), bundle.members)
    notes = [f"# not in this recipe: {name}\n" for name in left_out]
    notes += [f"# not about the model: {printable(one)}\n" for one in own]
    return "".join(notes) + toml


def _of_the_model(bundle: Bundle, manifest: Mapping[str, Any]) -> dict[str, Any]:
    def present(name: str) -> str | None:
        return _source(bundle, name) if name in bundle.members else None

    models = manifest.get("models") or []
    named = {
        model["served_as"]: _source(bundle, str(model["file"]))
        for model in models
        if "served_as" in model
    }
    return {
        "name": manifest.get("name"),
        "models": named or None,
        "weights": [_source(bundle, str(model["file"])) for model in models if not named],
        "chat-template": present(TEMPLATE),
        "add": [_source(bundle, name) for name in _extra(bundle) if "/" not in name],
        "card": present(BASE_CARD),
        "license": [_source(bundle, name) for name in bundle.members if name.startswith(LICENSES)],
    }


def _told(bundle: Bundle, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """What it was packed with, members of the bundle in place of sources; `pack` can read it."""

    def source(word: str) -> str:
        if member_in(word, bundle.members) is None:
            raise ValueError(f"{word} is not a member")
        return _source(bundle, word)

    found = dict(recipe)
    for key in found.keys() & {"mmproj", "draft"}:
        value = found[key]
        table = isinstance(value, dict)
        found[key] = {n: source(one) for n, one in value.items()} if table else source(value)
    if "lora" in found:
        found["lora"] = [
            source(one) if isinstance(one, str) else {**one, "file": source(one["file"])}
            for one in found["lora"]
        ]
    readers = {field.key: field.read for field in FIELDS}
    for key, value in found.items():
        try:
            readers[key](value, Path())
        except InputError as problem:
            raise ValueError(problem.message) from None
    return {key: value for key, value in found.items() if key != "sampling"}


def _of_the_runtime(bundle: Bundle, manifest: Mapping[str, Any]) -> dict[str, Any]:
    program = (manifest.get("front") or {}).get("program")
    kind = kind_of(program)
    # In the order of the file, which `--gpu` settles.
    modules = dict.fromkeys(name.split("/")[2] for name in bundle.members if name.startswith(GPU))
    sources = any(name.startswith(GPU_SOURCES) for name in bundle.members)
    return {
        "targets": [engine.target for engine in bundle.engines] or [program],
        "gpu": list(modules) or "none",
        "gpu-sources": "yes" if sources else "no",
        "format": None if kind == APE else kind,
        "windows": CMD if has_cmd(manifest) else None,
    }


def _tables(
    bundle: Bundle, manifest: Mapping[str, Any], recipe: Mapping[str, Any]
) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    stated: dict[str, Any] = {}
    if BASE_CARD in bundle.members:
        card = SmallFile("BASE.md", bundle.read(BASE_CARD), f"{bundle.path}:{BASE_CARD}")
        stated = stated_by(card)
    # With a card, a recipe without them would take those of the card.
    if stated or "sampling" in recipe:
        tables["sampling"] = recipe.get("sampling", {})
    facts = manifest.get("card") or {}
    given = {
        name: facts[name] for name in NAMES if name in facts and facts[name] != stated.get(name)
    }
    taken_out = {name: "" for name in stated if name not in facts}
    if given or taken_out:
        tables["card-fields"] = {**given, **taken_out}
    return tables


def _source(bundle: Bundle, member: str) -> str:
    """How `pack` names a member of the bundle as a source."""
    return f"{bundle.path.as_posix()}:{member}"


def _extra(bundle: Bundle) -> list[str]:
    """Members that are neither weights nor made by `pack` itself."""
    return [
        name
        for name in bundle.members
        if not name.startswith(_OURS) and name not in _ALSO_OURS and not name.endswith(".gguf")
    ]


def _left_out(bundle: Bundle, stated: Mapping[str, Any]) -> list[str]:
    """Members that no flag of `pack` adds: in folders, and weights that nothing names."""
    named = set(_texts(stated))
    weights = [
        member.name
        for member in bundle.weights
        if not any(word.startswith(_source(bundle, member.name)) for word in named)
        and not _is_later_shard(bundle.header(member))
    ]
    left_out = [name for name in _extra(bundle) if "/" in name] + weights
    return [printable(name) for name in left_out]  # a comment ends with its line


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(one)


def _is_later_shard(header: Header) -> bool:
    own = shard(header)
    return own is not None and own.number > 0
