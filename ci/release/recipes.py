"""What each bundle of a release is packed from: one of the recipes in templates/recipes."""

from __future__ import annotations

from dataclasses import dataclass

from packer.io.sizes import PART_SIZE
from packer.recipes import read
from runtime.errors import InputError

_ASSET_SIZE = 1_900_000_000
"""Bytes; GitHub takes release assets of less than 2 GiB."""


@dataclass(frozen=True)
class Recipe:
    pack: tuple[str, ...]
    """Words for `llamapack pack`."""
    hub_part: int = PART_SIZE
    """Bytes of a part on the Hub, if the bundle is larger."""
    asset_part: int = _ASSET_SIZE
    """Bytes of a part among release assets, likewise."""


# Small parts, so that cutting and joining are tried with every release.
_DEMO = Recipe(("--recipe", "demo", "--gpu", "none"), asset_part=20_000_000)


def named(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        InputError: there is none.
    """
    if name not in read.names():
        known = ", ".join(read.names())
        raise InputError(f"there is no recipe `{name}`", f"The recipes are: {known}.")
    return _DEMO if name == "demo" else Recipe(("--recipe", name))
