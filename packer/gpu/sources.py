"""The sources from which a produced file compiles GPU modules itself (`--recompile`)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from packer.archives.deflated import Packed, deflated
from packer.engine import layout, native, pins
from packer.sources import FileSource
from packer.zip_writer import ZipWriter
from runtime.bundle import GPU_SOURCES
from runtime.errors import InputError

AUTO, YES, NO = "auto", "yes", "no"
CHOICES = {
    AUTO: "where an engine can use them and llama.cpp's sources are in the build cache",
    YES: "or an error",
    NO: "leave them out",
}
_SYSTEMS = ("linux-x86_64", "linux-aarch64")
"""Targets whose engines can compile and load modules."""


def wanted(choice: str, targets: Iterable[str]) -> Path | None:
    """The folder of llama.cpp's sources if they are to be packed.

    Args:
        choice: a key of `CHOICES`.

    Raises:
        InputError: they were asked for and are not there.
    """
    if choice == NO:
        return None
    place = layout.source() / f"llama.cpp-{pins.load(native.directory()).release}"
    useful = any(target in _SYSTEMS for target in targets)
    if choice == YES and not (useful and place.is_dir()):
        why = "llama.cpp's sources are not there" if useful else "none of its engines can use them"
        raise InputError(f"--gpu-sources yes: {why}", "Run `llamapack engine build linux-x86_64`.")
    return place if useful and place.is_dir() else None


@contextmanager
def packed_sources(llama_cpp: Path) -> Iterator[Packed]:
    """The sources and recipes, ready to be copied into a bundle.

    Args:
        llama_cpp: the folder with llama.cpp's sources, whose name holds their release.
    """
    found = {path.stem: _expanded(path, llama_cpp) for path in recipes()}
    text = json.dumps([llama_cpp.name, found], sort_keys=True)

    def write(archive: ZipWriter) -> None:
        for kind, recipe in found.items():
            # Modules that were compiled from another release must not be found again.
            recipe["release"] = llama_cpp.name
            compact = json.dumps(_for_engine(recipe), sort_keys=True).encode()
            archive.add_bytes(f"{GPU_SOURCES}{kind}.json", compact, deflate=True)
        for name in sorted({name for recipe in found.values() for name in _files(recipe)}):
            source = FileSource.of(llama_cpp / name)
            with source.open() as file:
                archive.add_deflated(f"{GPU_SOURCES}src/{name}", file, source.size)

    with deflated("gpu-sources", hashlib.sha256(text.encode()).hexdigest(), write) as archive:
        yield Packed(archive)


def recipes() -> list[Path]:
    """The recipes that there are: `native/gpu/recipes/KIND.json`."""
    return sorted((native.directory() / "gpu" / "recipes").glob("*.json"))


def _expanded(path: Path, llama_cpp: Path) -> dict[str, Any]:
    """A recipe with its patterns replaced by the files that they stand for."""
    recipe: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for key in ("headers", "sources"):
        names: list[str] = []
        for pattern in recipe[key]:
            matching = sorted(p.relative_to(llama_cpp).as_posix() for p in llama_cpp.glob(pattern))
            if not matching:
                raise InputError(
                    f"{path}: llama.cpp has no {pattern}", "Mend the recipe for this release."
                )
            names += matching
        recipe[key] = names
    return recipe


def _files(recipe: dict[str, Any]) -> list[str]:
    return [*recipe["headers"], *recipe["sources"]]


def _for_engine(recipe: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in recipe.items() if key != "headers"}
