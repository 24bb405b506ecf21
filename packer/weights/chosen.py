"""The weights that the arguments of `pack` name, and what each is there for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packer.bundle.models_ini import Draft, Lora, ModelSection, check_name, draft_kind
from packer.bundle.request import PackRequest
from packer.io.console import note
from packer.weights.collected import Inputs, bundle_stem
from packer.weights.documents import Documents
from packer.weights.locate import Located, Locator
from packer.weights.lora import parsed
from runtime.errors import InputError
from runtime.formats.args_file import parse
from runtime.formats.model_facts import ADAPTER, PROJECTOR

if TYPE_CHECKING:
    from packer.convert.workshop import Workshop

AUTO = "auto"
_UNNAMED = ""  # the model of a bundle that serves one


@dataclass(frozen=True)
class ChosenWeights:
    """What goes into a bundle, by member names."""

    inputs: Inputs
    stem: str
    """The first model's name, for the bundle."""
    first: ModelSection
    """The model to start with; what belongs to it may be in `several`."""
    several: Sequence[ModelSection]
    """All models that are served by name, the first one too; none where there is one."""
    documents: Documents | None
    """Of the first model's repository."""
    card_documents: Documents | None
    """Of the repository that `--card` names."""


def chosen_weights(
    request: PackRequest, *, own_template: bool, workshop: Workshop | None = None
) -> ChosenWeights:
    """Find (and fetch, convert and quantize) all weights.

    Args:
        own_template: whether the bundle gets a template of its own.
        workshop: makes GGUF from other formats.

    Raises:
        InputError: some are not there, or do not go together.
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
        own = _one_each("--model-args", request.model_args, names)
        sections = [
            ModelSection(
                name,
                member,
                _projector(inputs, one, name, mmprojs.get(name), locator, quiet=request.quiet),
                [_lora(inputs, word, locator) for word in loras[name]],
                _draft(inputs, drafts.get(name), locator, merge=request.merge),
                parse(own.get(name, ""), {}),
            )
            for name, member, one in zip(names, members, located, strict=False)
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
    if word == AUTO:
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
        note(
            f"there is a projector for images, {model.projector_name}; add `--mmproj {auto}` to "
            "pack it"
        )
    return None


def _lora(inputs: Inputs, word: str, locator: Locator) -> Lora:
    option = parsed(word)
    adapter = locator.locate(option.file).weights
    return Lora(inputs.add_file(adapter, ADAPTER), option.scale)


def _draft(inputs: Inputs, word: str | None, locator: Locator, *, merge: bool) -> Draft | None:
    if not word:
        return None
    name, header = inputs.add_draft(locator.locate(word).weights, merge=merge)
    return Draft(name, draft_kind(header))
