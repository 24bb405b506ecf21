"""Which GPU modules go into a bundle."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from packer.engines.gpu import modules, pins
from packer.engines.gpu.pins import Module
from runtime.errors import InputError

NONE = "none"
DEFAULT = ("metal", "vulkan")
"""Small enough to go into every bundle, and they want nothing but the card's driver."""


def chosen(wanted: str | None, targets: Iterable[str]) -> list[tuple[Module, Path]]:
    """The modules for the engines of `targets`, with their folders.

    Args:
        wanted: what `--gpu` says: kinds with commas between them, `none`, or None for those of
            `DEFAULT` that were made.

    Raises:
        InputError: there is no such kind, none of it for these targets, or it was not made.
    """
    if wanted == NONE:
        return []
    names = set(targets)
    known = pins.load()
    if wanted is None:
        return [
            (module, path)
            for module, path in modules.found()
            if module.kind in DEFAULT and module.target in names
        ]
    picked = []
    for kind in dict.fromkeys(word.strip() for word in wanted.split(",")):
        if kind not in pins.kinds(known):
            raise InputError(
                f"there is no GPU module `{kind}`",
                f"The kinds are: {', '.join(pins.kinds(known))}, none.",
            )
        fitting = [module for module in known if module.kind == kind and module.target in names]
        if not fitting:
            has = ", ".join(module.target for module in known if module.kind == kind)
            raise InputError(
                f"--gpu {kind}: there is no module for {', '.join(sorted(names))}",
                f"There are modules for {has}.",
            )
        picked += [(module, _made(module)) for module in fitting]
    return picked


def _made(module: Module) -> Path:
    path = modules.find(module)
    if path is None:
        verb = "build-gpu" if module.kind == pins.CUDA else "add-gpu"
        raise InputError(
            f"the GPU module {module.title} is missing",
            f"Run `llamapack engine {verb} {module.kind}`.",
        )
    return path
