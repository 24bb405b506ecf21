"""The arguments of `pack`, from three places: the command line, the recipe, the defaults."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from packer.bundle.request import PackRequest
from packer.recipes import read
from packer.recipes.fields import FIELDS, OF_THE_RUN

_NAMES = frozenset(field.name for field in dataclasses.fields(PackRequest))


def completed(stated: Mapping[str, Any]) -> PackRequest:
    """Add those of the recipe, and the defaults, to the options of a command line.

    Args:
        stated: values by attribute, of the options that were written there alone.

    Raises:
        InputError: the recipe cannot be read.
    """
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
    return PackRequest(**{name: value for name, value in found.items() if name in _NAMES})
