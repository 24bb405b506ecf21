"""The models of a bundle and their files; and the member `models.ini`, which states them for
several.

Format: presets of llama.cpp's server (tools/server/README.md and common/preset.cpp of v0.6.0): a
section for each model, whose keys are options without their dashes. A value ends at `#`, at `;` and
at the end of its line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from runtime.errors import InputError
from runtime.formats.gguf_header import Header

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""What a model may be served as: a word that needs quoting neither in a shell nor in a URL."""

# Possessive: a stranger's line must not be tried in all ways.
_HEADER = re.compile(r"\s*+\[([^]]*+)\]\s*+(?:[#;].*)?")
_PAIR = re.compile(r"\s*+([A-Za-z_][A-Za-z0-9_.-]*+)[ \t]*+=([^#;]*+)(?:[#;].*)?")
_LIMIT = 1 << 18  # characters; a section has some hundred
_KEY = re.compile(r"--?([A-Za-z_][A-Za-z0-9_.-]*)")
_MEMBERS = "/zip/"
_MODEL, _MMPROJ, _DRAFT, _SPEC_TYPE = "model", "mmproj", "model-draft", "spec-type"
_LORA, _LORA_SCALED = "lora", "lora-scaled"
_VERSION = "version"  # the one key that is not an option
_FOR_ALL = ("", "*")  # lines before the first section, and the section for all models
_DEFAULT = "default"  # upstream's name for the lines before the first section


@dataclass(frozen=True)
class Lora:
    """A LoRA adapter in the bundle."""

    member: str
    scale: str | None = None  # how strongly it applies, a number; None: 1


@dataclass(frozen=True)
class Draft:
    """A draft model in the bundle."""

    member: str
    kind: str | None  # what `--spec-type` must say; None: the engine finds out by itself


@dataclass(frozen=True)
class ModelSection:
    """One model: the name that it is served as, and members that it needs."""

    name: str
    model: str
    mmproj: str | None = None
    loras: Sequence[Lora] = ()
    draft: Draft | None = None
    args: Sequence[str] = ()  # words of its own: `-c`, `4096`, …
    purpose: Sequence[str] = ()  # `--embeddings` for a model that embeds


def preset(sections: Iterable[ModelSection]) -> str:
    """Write the text of `models.ini`. Raises InputError if a name or a word cannot be in it."""
    return "\n".join(_section(section.name, _pairs(section)) for section in sections)


def section_of(name: str, model: str, purpose: Sequence[str]) -> str:
    """The section of a model that has nothing of its own but the words of its purpose."""
    return _section(name, _pairs(ModelSection(name, model, purpose=purpose)))


def served_as(text: str) -> dict[str, str]:
    """The name that each model is served as, by the member that it is."""
    found: dict[str, str] = {}
    for name, lines in _sections(text):
        for line in lines:
            if model := _names_model(line):
                found.setdefault(model, name)
    return found


def words_of(text: str) -> dict[str, list[str]]:
    """The options of each model's own section as words of a command line, by the member that it
    is."""
    found: dict[str, list[str]] = {}
    for name, lines in _sections(text):
        pairs = [pair for pair in map(_pair, lines) if pair and name not in _FOR_ALL]
        words = [word for key, value in pairs for word in _as_option(key, value)]
        for model in filter(None, map(_names_model, lines)):
            found.setdefault(model, words)
    return found


def keys(text: str) -> list[str]:
    """The options that all its sections have, without dashes, each once."""
    pairs = (_PAIR.fullmatch(line) for _, lines in _sections(text) for line in lines)
    return list(dict.fromkeys(pair[1] for pair in pairs if pair and pair[1] != _VERSION))


def without(text: str, members: Collection[str]) -> str:
    """The text without these members, and without the sections of these models."""
    sections = []
    for name, lines in _sections(text):
        kept = [line for line in (_without(line, members) for line in lines) if line is not None]
        if name in _FOR_ALL or any(_names_model(line) for line in kept):
            sections.append("\n".join([f"[{name}]", *kept] if name else kept).rstrip("\n") + "\n")
    return "\n".join(section for section in sections if section.strip())


def check_name(name: str) -> str:
    """`name`, if a model can be served as that. Raises InputError if it cannot."""
    if not NAME.fullmatch(name) or name == _DEFAULT:
        raise InputError(
            f"{name!r} cannot be the name of a model",
            "Use letters, digits, `.`, `_` and `-`, beginning with a letter or digit.",
        )
    return name


def draft_kind(header: Header) -> str | None:
    """The `--spec-type` that a draft model needs; None where the engine finds out itself. Without a
    type the draft model would not be used. Rules: `common_speculative_types_from_gguf` in
    common/speculative.cpp of llama.cpp v0.6.0, which knows two kinds."""
    architecture = header.metadata.get("general.architecture")
    if architecture == "dflash" or any(
        tensor.name.endswith(".nextn.eh_proj.weight") for tensor in header.tensors
    ):
        return None
    return "draft-eagle3" if architecture == "eagle3" else "draft-simple"


def lora_option(lora: Lora) -> tuple[str, str]:
    """The option that applies an adapter, and its value. Raises InputError if options cannot hold
    its name."""
    # Upstream takes `FILE:SCALE,FILE:SCALE`, and splits at every comma and colon.
    if "," in lora.member or (lora.scale is not None and ":" in lora.member):
        raise InputError(
            f"{lora.member} cannot be the name of an adapter: llama.cpp divides its options at "
            "`,` and `:`",
            "Rename the file.",
        )
    if lora.scale is None:
        return "--lora", lora.member
    return "--lora-scaled", f"{lora.member}:{lora.scale}"


def _section(name: str, pairs: Iterable[tuple[str, str]]) -> str:
    return f"[{check_name(name)}]\n" + "".join(f"{key} = {_value(value)}\n" for key, value in pairs)


def _pairs(section: ModelSection) -> Iterator[tuple[str, str]]:
    yield _MODEL, _MEMBERS + section.model
    if section.mmproj is not None:
        yield _MMPROJ, _MEMBERS + section.mmproj
    adapters: dict[str, list[str]] = {}
    for option, value in map(lora_option, section.loras):
        adapters.setdefault(option.removeprefix("--"), []).append(_MEMBERS + value)
    yield from ((key, ",".join(values)) for key, values in adapters.items())
    if section.draft is not None:
        yield _DRAFT, _MEMBERS + section.draft.member
        if section.draft.kind:
            yield _SPEC_TYPE, section.draft.kind
    yield from _options([*section.purpose, *section.args])


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Keys and values: a word that looks like an option is one, any other word is its value."""
    position = 0
    while position < len(words):
        option = _KEY.fullmatch(words[position])
        if not option:
            raise InputError(
                f"{words[position]!r} is not an option", "Write `-c 4096 --temp 0`, for example."
            )
        following = words[position + 1 : position + 2]
        has_value = bool(following) and not _KEY.fullmatch(following[0])
        yield option[1], following[0] if has_value else "true"
        position += 1 + has_value


def _value(value: str) -> str:
    if any(char in value for char in "#;\r\n") or value != value.strip():
        raise InputError(
            f"{value!r} cannot be in a preset of llama.cpp, in which a value ends at `#` and `;`",
            "Rename the file, or omit the argument.",
        )
    return value


def _sections(text: str) -> Iterator[tuple[str, list[str]]]:
    """Names and lines of the sections; lines before the first have no name. Raises InputError if
    the text is too long."""
    if len(text) > _LIMIT:
        raise InputError(
            f"models.ini has {len(text):,} characters, and {_LIMIT:,} are read",
            "Serve fewer models from one file.",
        )
    name, lines = "", list[str]()
    for line in text.splitlines():
        if header := _HEADER.fullmatch(line):
            yield name, lines
            name, lines = header[1].strip(), []
        else:
            lines.append(line)
    yield name, lines


def _pair(line: str) -> tuple[str, str] | None:
    """Key and value of a line, if it has them."""
    pair = _PAIR.fullmatch(line)
    return (pair[1], pair[2].strip(" \t")) if pair else None


def _as_option(key: str, value: str) -> list[str]:
    """The words of a pair; an option without a value is `true` in a preset."""
    return [f"--{key}"] if value == "true" else [f"--{key}", value]


def _names_model(line: str) -> str | None:
    """The model that a line names, if it does."""
    pair = _pair(line)
    return pair[1].removeprefix(_MEMBERS) if pair and pair[0] in (_MODEL, "m") else None


def _without(line: str, members: Collection[str]) -> str | None:
    pair = _pair(line)
    if not pair:
        return line
    key, value = pair
    parts = value.split(",")
    kept = [
        part
        for part in parts
        if _member(part) not in members and part.removeprefix(_MEMBERS) not in members
    ]
    if len(kept) == len(parts):
        return line
    return f"{key} = {','.join(kept)}" if kept else None


def _member(value: str) -> str:
    """The member that `/zip/NAME:SCALE` names."""
    return value.removeprefix(_MEMBERS).rpartition(":")[0]
