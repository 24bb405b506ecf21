"""The weights that the arguments of `pack` name, and their roles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packer.bundle.models_ini import Draft, Lora, ModelSection, check_name, draft_kind
from packer.bundle.purpose import lacks_pooling, options_of, pooling_of
from packer.bundle.request import PackRequest
from packer.io.console import note, warning
from packer.weights.documents import Documents, stated_pooling
from packer.weights.inputs import Inputs, bundle_stem
from packer.weights.locator import Located, Locator
from runtime.errors import InputError
from runtime.formats.args_file import parse
from runtime.formats.model_facts import ADAPTER, PROJECTOR
from runtime.formats.weights import is_gguf

if TYPE_CHECKING:
    from packer.convert.workshop import Workshop

AUTO, NONE = "auto", "none"
_UNNAMED = ""  # the model of a bundle that serves one
_SCALED = re.compile(r"(?P<file>.+)[:=](?P<scale>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")
_ENDING = re.compile(r"(?P<file>.+)[:=](?P<end>[^/]*)")


@dataclass(frozen=True)
class ChosenWeights:
    """The weights of a bundle, by member names."""

    inputs: Inputs
    stem: str
    """The first model's name, for the bundle."""
    first: ModelSection
    """The model to start with; its projector and adapters may be in `several`."""
    several: Sequence[ModelSection]
    """All models that are served by name, also the first one; empty for a single model."""
    documents: Documents | None
    """Of the first model's repository."""
    card_documents: Documents | None
    """Of the repository that `--card` names."""


def chosen_weights(
    request: PackRequest,
    *,
    own_template: bool,
    own: Sequence[str] | None,
    workshop: Workshop | None = None,
) -> ChosenWeights:
    """Find (and fetch, convert and quantize) all weights.

    Args:
        own_template: whether the bundle gets a template of its own.
        own: the words of `--args`, to which those of the models' purposes are added; None: nothing
            is added, for a runtime with other options.
        workshop: makes GGUF from other formats.

    Raises:
        InputError: some do not exist, or do not fit together.
    """
    named = _named(request)
    words = list(named.values()) or request.models
    inputs = Inputs()
    with Locator(offline=request.offline, quiet=request.quiet, workshop=workshop) as locator:
        located = [locator.model(word) for word in words]
        members = [
            inputs.add_model(
                one.weights, own_template=own_template, merge=request.merge, served_as=name
            )
            for one, name in zip(located, named or [None] * len(located), strict=True)
        ]
        names = list(named) or [_UNNAMED]
        mmprojs = _one_each("--mmproj", request.mmproj, names)
        loras = _by_model(request.lora, names)
        drafts = _one_each("--draft", request.draft, names)
        words_of = _one_each("--model-args", request.model_args, names)
        args = [parse(words_of.get(name, ""), {}) for name in names]
        sections = [
            ModelSection(
                name,
                member,
                _projector(inputs, one, name, mmprojs.get(name), locator, quiet=request.quiet),
                [_lora(inputs, word, locator) for word in loras[name]],
                _draft(inputs, drafts.get(name), locator, merge=request.merge),
                *_words(one, own, mine, quiet=request.quiet),
            )
            for name, member, one, mine in zip(names, members, located, args, strict=False)
        ]
        first = located[0]
        return ChosenWeights(
            inputs,
            stem=bundle_stem(first.weights),
            first=ModelSection(names[0], members[0]) if named else sections[0],
            several=sections if named else (),
            documents=first.documents() if first.documents else None,
            card_documents=locator.documents(request.card) if request.card else None,
        )


def _named(request: PackRequest) -> dict[str, str]:
    """The words for the models that `--model` names."""
    named: dict[str, str] = {}
    for word in request.named_models:
        name, divided, rest = word.partition("=")
        if not divided or not rest:
            raise InputError(f"`--model {word}` has no name", "Write `--model NAME=FILE`.")
        if name in named:
            raise InputError(f"two models have the name {name}", "Give one of them another name.")
        named[check_name(name)] = rest
    if bool(named) == bool(request.models):
        raise InputError(
            "some models have names, others do not" if named else "no model is named",
            "Give MODEL, or `--model NAME=FILE` for each of several.",
        )
    if request.model_args and not named:
        raise InputError("`--model-args` is for one of several named models", "Use `--args`.")
    return named


def _by_model(words: Sequence[str], names: Sequence[str]) -> dict[str, list[str]]:
    """The value of `NAME=…` for each model; a value without a name is for the first."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for word in words:
        name, divided, rest = word.partition("=")
        mine = bool(divided) and name != _UNNAMED and name in found
        found[name if mine else names[0]].append(rest if mine else word)
    return found


def _one_each(flag: str, words: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    found = {name: mine for name, mine in _by_model(words, names).items() if mine}
    for name, mine in found.items():
        if len(mine) > 1:
            raise InputError(
                f"`{flag}` is given twice for {name or 'one model'}",
                f"Name the model: `{flag} NAME=…`." if name else f"Give `{flag}` once.",
            )
    return {name: mine[0] for name, mine in found.items()}


def _projector(
    inputs: Inputs, model: Located, name: str, word: str | None, locator: Locator, *, quiet: bool
) -> str | None:
    if word == NONE:
        return None
    if word == AUTO or (word is None and model.has_default_projector):
        if model.projector is None:
            raise InputError(
                f"{model.weights} has no projector",
                "Name one with `--mmproj FILE`, or leave `--mmproj` out.",
            )
        return inputs.add_file(model.projector(), PROJECTOR)
    if word:
        return inputs.add_file(locator.locate(word).weights, PROJECTOR)
    if model.projector_name and not quiet:
        auto = f"{name}={AUTO}" if name else AUTO
        note(f"there is a projector, {model.projector_name}; add `--mmproj {auto}` to pack it")
    return None


def _words(
    model: Located, own: Sequence[str] | None, mine: Sequence[str], *, quiet: bool
) -> tuple[Sequence[str], Sequence[str]]:
    """A model's own words, with what its documents say of pooling, and the option of its purpose.

    Args:
        own: words for all models; None: nothing is added.
        mine: words for this one.
    """
    if own is None:
        return mine, ()
    header = model.weights.header()
    known = stated_pooling(model.document, header)
    words = [*pooling_of(header, [*own, *mine], known), *mine]
    found = options_of(header, [*own, *words])
    if lacks_pooling(header, [*own, *words, *found]) and not quiet:
        warning(
            f"{model.weights}: it does not say how it pools, so `/v1/embeddings` will be refused; "
            "add the pooling of its model card: `--args '--pooling mean'`"
        )
    return words, found


def _lora(inputs: Inputs, word: str, locator: Locator) -> Lora:
    file, scale = lora_option(word)
    return Lora(inputs.add_file(locator.locate(file).weights, ADAPTER), scale)


def lora_option(word: str) -> tuple[str, str | None]:
    """File and scale of `--lora FILE`, `FILE:SCALE` or `FILE=SCALE`; an existing file is a file,
    whatever its name. Raises InputError if the text after a file is not a number."""
    if Path(word).exists():
        return word, None
    if match := _SCALED.fullmatch(word):
        return match["file"], match["scale"]
    if (match := _ENDING.fullmatch(word)) and is_gguf(Path(match["file"])):
        raise InputError(
            f"{match['end']!r} is not a scale of the adapter {match['file']}",
            f"Write a number: `--lora {match['file']}:0.5`.",
        )
    return word, None


def _draft(inputs: Inputs, word: str | None, locator: Locator, *, merge: bool) -> Draft | None:
    if not word:
        return None
    name, header = inputs.add_draft(locator.locate(word).weights, merge=merge)
    return Draft(name, draft_kind(header))
