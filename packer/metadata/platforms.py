"""What a bundle runs on, for people: systems, and graphics cards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from packer.engines.gpu import pins
from runtime.formats.bundle import GPU_SOURCES, Bundle
from runtime.machine.targets import ARCHITECTURES, SYSTEMS, TARGETS


@dataclass(frozen=True)
class SupportedSystem:
    """One operating system."""

    name: str
    """Such as `Linux`."""
    architectures: tuple[str, ...]
    """Such as `x86-64` and `ARM64`."""
    floor: str
    """The oldest version that the file runs on."""


def systems(targets: Iterable[str]) -> list[SupportedSystem]:
    """The systems behind these targets, in a fixed order; targets that are not known are left out.

    Where a system has two engines, one with modules and a static one, both of their floors count.
    """
    wanted = set(targets)
    known = [target for target in TARGETS.values() if target.name in wanted]
    return [
        SupportedSystem(
            system.title,
            tuple(
                title
                for arch, title in ARCHITECTURES.items()
                if any((one.os, one.arch) == (system.name, arch) for one in known)
            ),
            " or ".join(dict.fromkeys(one.floor for one in known if one.os == system.name)),
        )
        for system in SYSTEMS.values()
        if any(one.os == system.name for one in known)
    ]


@dataclass(frozen=True)
class IncludedModule:
    """A GPU module in the bundle."""

    kind: str
    """`cuda`, `hip`, `metal` or `vulkan`."""
    target: str
    needs: str | None
    """What it wants of the user's system; None for one that this llamapack does not know."""


def modules(bundle: Bundle) -> list[IncludedModule]:
    """The GPU modules in a bundle."""
    needs = {(module.kind, module.target): module.needs for module in pins.load()}
    return [
        IncludedModule(one.kind, one.target, needs.get((one.kind, one.target)))
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
