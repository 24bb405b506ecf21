"""What a bundle brings for graphics cards."""

from __future__ import annotations

from dataclasses import dataclass

from packer.gpu import pins
from runtime.bundle import GPU_SOURCES, Bundle
from runtime.targets import SYSTEMS


@dataclass(frozen=True)
class Module:
    """A GPU module in the bundle."""

    kind: str
    """`cuda`, `hip`, `metal` or `vulkan`."""
    target: str
    needs: str | None
    """What it wants of the user's system; None for one that this llamapack does not know."""


def modules(bundle: Bundle) -> list[Module]:
    """The GPU modules in a bundle."""
    needs = {(module.kind, module.target): module.needs for module in pins.load()}
    return [
        Module(one.kind, one.target, needs.get((one.kind, one.target)))
        for one in bundle.gpu_modules
    ]


def compiles(bundle: Bundle) -> dict[str, list[str]]:
    """The kinds of modules that `--recompile` can compile, by system: a bundle has recipes named
    `gpu-sources/SYSTEM/KIND.json`."""
    kinds: dict[str, list[str]] = {}
    for name in bundle.members:
        place = name.removeprefix(GPU_SOURCES).split("/")
        if name.startswith(GPU_SOURCES) and len(place) == 2 and place[0] in SYSTEMS:
            kinds.setdefault(SYSTEMS[place[0]].title, []).append(place[1].removesuffix(".json"))
    return kinds
