"""How GPU modules are compiled: `native/gpu/recipes/KIND.json`, as bundles carry them.

A file there names patterns of llama.cpp's sources, and what the compiler of each system is told.
`attention` says for which types of keys and values, of all `types`, attention is compiled, as
upstream's build does by default (`ggml_cuda_fattn_vec_instances` in `ggml/cmake/common.cmake`).
A bundle holds one recipe for each system and kind, with the files that the patterns stand for:
`compiler`, `folders`, `library`, `flags`, `flags_of` (by suffix, in front of `flags`), `link`,
`sources`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packer.engines import native
from packer.engines.gpu import metal_kernels
from packer.engines.targets import TARGETS
from runtime.errors import InputError


@dataclass(frozen=True)
class Recipe:
    """One way to compile a module."""

    kind: str
    system: str
    """As in targets: `linux`, `macos` or `windows`."""
    facts: dict[str, Any]
    """What the engine reads; paths count from llama.cpp's folder."""
    headers: tuple[str, ...]
    kernels: tuple[str, ...]
    """Files of llama.cpp that `generated` is made of."""
    generated: dict[str, str]
    """Sources that llama.cpp's own build writes, and their texts, by path."""

    @property
    def files(self) -> list[str]:
        """The files of llama.cpp that it compiles, and their headers."""
        return [
            *self.headers,
            *(name for name in self.facts["sources"] if name not in self.generated),
        ]

    @property
    def inputs(self) -> list[str]:
        """All files of llama.cpp that are read for it."""
        return [*self.files, *self.kernels]


def files() -> list[Path]:
    """The files that state recipes: `native/gpu/recipes/KIND.json`."""
    return sorted((native.directory() / "gpu" / "recipes").glob("*.json"))


def load(llama_cpp: Path, targets: Iterable[str]) -> list[Recipe]:
    """The recipes that engines for `targets` can use.

    Args:
        llama_cpp: the folder with llama.cpp's sources.

    Raises:
        InputError: llama.cpp has no file for a pattern.
    """
    wanted = {TARGETS[name].os for name in targets if compiles(name)}
    return [recipe for path in files() for recipe in _read(path, llama_cpp, wanted)]


def compiles(target: str) -> bool:
    """Whether engines for `target` can compile and load modules."""
    return TARGETS[target].os in ("linux", "macos", "windows") and not TARGETS[target].static


def _read(path: Path, llama_cpp: Path, wanted: Collection[str]) -> list[Recipe]:
    text = json.loads(path.read_text(encoding="utf-8"))
    systems = {name: own for name, own in text["systems"].items() if name in wanted}
    if not systems:
        return []
    headers = _matching(path, text["headers"], llama_cpp)
    sources = _matching(path, text["sources"], llama_cpp)
    kernels = _matching(path, text.get("kernels", []), llama_cpp)
    flags = text["flags"] + _attention(text.get("attention", {}))
    generated: dict[str, str] = {}
    if kernels:
        generated = metal_kernels.embedded(llama_cpp, kernels)
        sources += [name for name in generated if name.endswith(".s")]
    return [
        Recipe(
            path.stem,
            system,
            {
                "compiler": own["compiler"],
                "flags": flags + own.get("flags", []),
                "flags_of": own.get("flags_of", {}),
                "folders": own["folders"],
                "library": own["library"],
                "link": own["link"],
                # Modules that were compiled from another release must not be found again.
                "release": llama_cpp.name,
                "sources": sources,
            },
            tuple(headers),
            tuple(kernels),
            generated,
        )
        for system, own in systems.items()
    ]


def _attention(stated: Mapping[str, list[str]]) -> list[str]:
    """A definition for each pair of types: 1 if attention is compiled for it, else 0."""
    types, compiled = stated.get("types", []), stated.get("compiled", [])
    return [
        f"-DGGML_CUDA_FA_{keys.upper()}_{values.upper()}={int(f'{keys}-{values}' in compiled)}"
        for keys in types
        for values in types
    ]


def _matching(path: Path, patterns: list[str], llama_cpp: Path) -> list[str]:
    names: list[str] = []
    for pattern in patterns:
        found = sorted(one.relative_to(llama_cpp).as_posix() for one in llama_cpp.glob(pattern))
        if not found:
            raise InputError(
                f"{path}: llama.cpp has no {pattern}", "Correct the recipe for this release."
            )
        names += found
    return names
