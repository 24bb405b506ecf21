"""The weights that the arguments of `pack` name, and what each is there for."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from packer.console import note
from packer.default_args import Draft, Lora, draft_kind
from packer.inputs.collected import Inputs, bundle_stem
from packer.inputs.locate import Located, Locator
from packer.inputs.lora import parsed
from runtime.errors import InputError

AUTO = "auto"


@dataclass(frozen=True)
class ChosenWeights:
    """What goes into a bundle, by member names."""

    inputs: Inputs
    stem: str
    """The first model's name, for the bundle."""
    model: str
    mmproj: str | None
    loras: list[Lora]
    draft: Draft | None


def chosen_weights(args: argparse.Namespace, *, own_template: bool) -> ChosenWeights:
    """Find (and fetch) all weights.

    Args:
        args: `models`, `mmproj`, `lora`, `draft`, `merge`, `offline` and `quiet` of `pack`.
        own_template: whether the bundle gets a template of its own.

    Raises:
        InputError: some are not there, or do not go together.
    """
    inputs = Inputs()
    with Locator(offline=args.offline, quiet=args.quiet) as locator:
        located = [locator.locate(word) for word in args.models]
        names = [
            inputs.add_model(one.weights, own_template=own_template, merge=args.merge)
            for one in located
        ]
        mmproj = _projector(inputs, located, args, locator)
        loras = []
        for option in map(parsed, args.lora):
            name = inputs.add_file(locator.locate(option.file).weights)
            loras.append(Lora(name, option.scale))
        draft = None
        if args.draft:
            name, header = inputs.add_draft(locator.locate(args.draft).weights, merge=args.merge)
            draft = Draft(name, draft_kind(header))
    return ChosenWeights(inputs, bundle_stem(located[0].weights), names[0], mmproj, loras, draft)


def _projector(
    inputs: Inputs, located: list[Located], args: argparse.Namespace, locator: Locator
) -> str | None:
    first = located[0]
    if args.mmproj == AUTO:
        if first.projector is None:
            raise InputError(
                f"there is no projector with {first.weights}",
                "Name one with `--mmproj FILE`, or leave `--mmproj` out.",
            )
        return inputs.add_file(first.projector())
    if args.mmproj:
        return inputs.add_file(locator.locate(args.mmproj).weights)
    if first.projector_name and not args.quiet:
        note(
            f"there is a projector for images too, {first.projector_name}: add `--mmproj auto` "
            "to pack it"
        )
    return None
