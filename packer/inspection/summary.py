"""What is inside a bundle, a foreign ZIP or a bare GGUF, as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from packer.bundle.models_ini import keys, served_as, words_of
from packer.bundle.purpose import purpose_of
from runtime.errors import InputError
from runtime.formats.args_file import ZIP, is_refused, parse, refused_of
from runtime.formats.bundle import MODELS, TEMPLATE, Bundle
from runtime.formats.gguf_header import MAGIC, Header, read_header_of
from runtime.formats.model_facts import ModelFacts, model_facts, shard
from runtime.formats.weights import ShardName
from runtime.formats.zip_directory import METHODS, Member
from runtime.launch.flags import read_flags


def inspect(path: Path) -> dict[str, Any]:
    """JSON facts of the file at `path`, from headers and directories only; `kind` is `bundle` (made
    by llamapack), `zip` or `gguf`. Raises InputError if it is none of these, or damaged."""
    if path.is_file():
        with path.open("rb") as file:
            if file.read(len(MAGIC)) == MAGIC:
                return _gguf(path)
    with Bundle.open(path) as bundle:
        return described(bundle)


def _runtime(bundle: Bundle) -> dict[str, Any] | None:
    # Not at the top: for llamapack's own bundles it would take longer than all the rest.
    from packer.engines.other_runtimes import runtime_facts

    return runtime_facts(bundle)


def _gguf(path: Path) -> dict[str, Any]:
    header = read_header_of(path)
    size = path.stat().st_size
    facts = model_facts([header], size)
    model = _model(path.name, facts, "gguf" if facts.chat_template else None, header)
    purpose = purpose_of(header, template=facts.chat_template)
    return {
        "file": str(path),
        "kind": "gguf",
        "models": [{**model, "purpose": purpose}],
        "size": size,
    }


def described(bundle: Bundle) -> dict[str, Any]:
    """The same for a bundle, or a foreign ZIP, that is open."""
    manifest = bundle.manifest
    stated = manifest or {}
    releases = stated.get("engines", {})
    return {
        "args": _args(bundle),
        "engines": [
            {**asdict(engine), "llama.cpp": _release(releases, engine.target)}
            for engine in bundle.engines
        ],
        "file": str(bundle.path),
        "format": stated.get("format"),
        "gpu_modules": [asdict(module) for module in bundle.gpu_modules],
        "kind": "zip" if manifest is None else "bundle",
        "members": [
            {
                "compressed_size": member.compressed_size,
                "crc32": f"{member.crc32:08x}",
                "method": METHODS.get(member.method, str(member.method)),
                "name": member.name,
                "offset": bundle.data_offset(member),
                "size": member.size,
            }
            for member in bundle.members.values()
        ],
        "models": _models(bundle),
        "name": stated.get("name"),
        "runtime": _runtime(bundle) if manifest is None else None,
        "size": bundle.size,
        "tool": stated.get("tool"),
    }


def _args(bundle: Bundle) -> dict[str, Any]:
    """The text of `.args`, its words, and options that the engine refuses in another tool's
    file."""
    facts = {"text": bundle.args, "words": _words(bundle)}
    found = [*refused_of(bundle), *_refused_of_models(bundle)]
    return {**facts, "refused": found} if found else facts


def _refused_of_models(bundle: Bundle) -> list[str]:
    if MODELS not in bundle.members:
        return []
    text = bundle.read(MODELS).decode(errors="replace")
    return [f"{MODELS}: {key}" for key in keys(text) if is_refused(key)]


def _words(bundle: Bundle) -> list[str] | None:
    """The words of `.args` with variables unexpanded; None if it cannot be parsed."""
    text = bundle.args
    if text and bundle.manifest is None:
        from packer.engines.other_runtimes import dialect_of, ours

        text = ours(text, dialect_of(bundle))
    try:
        return parse(text)
    except InputError:
        return None


def _release(releases: object, target: str) -> object:
    facts = releases.get(target) if isinstance(releases, dict) else None
    return facts.get("llama.cpp") if isinstance(facts, dict) else None


def _models(bundle: Bundle) -> list[dict[str, Any]]:
    """One entry per GGUF member, shards joined; members that are not readable GGUF say why."""
    headers: dict[str, Header] = {}
    problems = []
    for member in bundle.weights:
        try:
            headers[member.name] = bundle.header(member)
        except InputError as problem:
            problems.append({"file": member.name, "problem": problem.message})
    readable = [(one, headers[one.name]) for one in bundle.weights if one.name in headers]
    models = [*problems, *(_of_files(bundle, files) for files in grouped(readable))]
    words, served, names = _words(bundle) or [], _served(bundle), _served_as(bundle)
    places = [member.name for member in bundle.weights]
    for model in models:
        if model["file"] in names:
            model["served_as"] = names[model["file"]]
        if model["file"] in headers:
            own = served.get(model["file"], [] if served else words)
            model["purpose"] = _purpose(model, headers, own, words)
    return sorted(models, key=lambda model: places.index(model["file"]))


def _of_files(bundle: Bundle, files: list[tuple[Member, Header]]) -> dict[str, Any]:
    facts = model_facts([header for _, header in files], sum(member.size for member, _ in files))
    template = "gguf" if facts.chat_template else None
    if TEMPLATE in bundle.members and facts.kind == "model":
        template = "member"
    member, header = files[0]
    return {**_model(member.name, facts, template, header), "shards": len(files)}


def grouped(weights: Iterable[tuple[Member, Header]]) -> list[list[tuple[Member, Header]]]:
    """GGUF members with their headers, the shards of a model together."""
    groups: dict[tuple[str, int], list[tuple[Member, Header]]] = {}
    for member, header in weights:
        named = ShardName.of(member.name) if shard(header) else None
        key = named.model if named else (member.name, 1)
        groups.setdefault(key, []).append((member, header))
    return list(groups.values())


def _purpose(
    model: Mapping[str, Any],
    headers: Mapping[str, Header],
    own: Sequence[str],
    words: Sequence[str],
) -> str | None:
    """What a model is for. `own`: the words that name the files of one model; `words`: those for
    all models."""
    flags = read_flags(own)
    projector = headers.get(flags.mmproj.removeprefix(ZIP))
    if flags.model.removeprefix(ZIP) != model["file"]:
        projector = None
    return purpose_of(
        headers[model["file"]],
        template=model["chat_template"] is not None,
        words=[*words, *own],
        projector=projector.metadata if projector else None,
    )


def _served(bundle: Bundle) -> dict[str, list[str]]:
    """The words of each model that is served by name, by member."""
    if MODELS not in bundle.members:
        return {}
    return words_of(bundle.read(MODELS).decode(errors="replace"))


def _served_as(bundle: Bundle) -> dict[str, str]:
    """What the API calls models, by member; nothing in a bundle with one model."""
    if MODELS not in bundle.members:
        return {}
    return served_as(bundle.read(MODELS).decode(errors="replace"))


def _model(file: str, facts: ModelFacts, template: str | None, header: Header) -> dict[str, Any]:
    return {
        **asdict(facts),
        "chat_template": template,
        "file": file,
        "gguf_version": header.version,
        "tensors": len(header.tensors),
    }
