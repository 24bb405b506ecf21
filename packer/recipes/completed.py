"""The arguments of `pack`, from three places: the command line, the recipe, the defaults."""

from __future__ import annotations

import argparse
from typing import Any

from packer.recipes import read
from packer.recipes.fields import FIELDS, OF_THE_RUN


def completed(given: argparse.Namespace) -> argparse.Namespace:
    """Add to the arguments that were given those of the recipe, and the defaults.

    Args:
        given: a parsed command line that has only what was written there.

    Raises:
        InputError: the recipe cannot be read.
    """
    stated = vars(given)
    recipe = read.read(read.found(stated["recipe"])) if stated.get("recipe") else {}
    found: dict[str, Any] = {flag.lstrip("-"): default for flag, default in OF_THE_RUN.items()}
    for field in FIELDS:
        name = field.attribute
        if field.adds_up:
            found[name] = [*recipe.get(name, ()), *stated.get(name, ())]
        elif name in recipe and field.instead_of not in stated:
            found[name] = recipe[name]
        else:
            found[name] = field.default
    lists = {field.attribute for field in FIELDS if field.adds_up}
    found.update({name: value for name, value in stated.items() if name not in lists})
    return argparse.Namespace(**found)
