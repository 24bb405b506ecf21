"""The sources from which a produced file compiles GPU modules itself (`--recompile`)."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from packer.engines import layout, native, pins, source
from packer.engines.deflated import Packed, deflated, stated
from packer.engines.gpu import recipes
from packer.engines.gpu.recipes import Recipe
from packer.engines.targets import TARGETS
from packer.engines.wheels import installed
from packer.io.sources import FileSource
from packer.zip.writer import ZipWriter
from runtime.errors import InputError
from runtime.formats.bundle import GPU_SOURCES

AUTO, YES, NO = "auto", "yes", "no"
CHOICES = {
    AUTO: "yes, if an engine can use them and llama.cpp's sources are in the build cache",
    YES: "or an error",
    NO: "leave them out",
}


def wanted(choice: str, targets: Iterable[str]) -> Path | None:
    """The folder of llama.cpp's sources if they are to be packed.

    Args:
        choice: a key of `CHOICES`.

    Raises:
        InputError: they were requested and are missing.
    """
    if choice == NO:
        return None
    found = next(
        (place for place in (installed(collected_folder()), _llama_cpp()) if place.is_dir()), None
    )
    useful = any(recipes.compiles(target) for target in targets)
    if choice == YES and not (useful and found):
        why = "llama.cpp's sources are missing" if useful else "none of its engines can use them"
        raise InputError(
            f"--gpu-sources yes: {why}",
            "Run `llamapack engine build linux-x86_64`, or `llamapack engine fetch linux-x86_64`.",
        )
    return found if useful else None


def collected_folder() -> Path:
    """The folder for the files that the recipes name, collected or downloaded."""
    digest = hashlib.sha256()
    for path in recipes.files():
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return layout.gpu_sources() / digest.hexdigest()[:16] / _llama_cpp().name


def collect() -> Path:
    """Copy the files that the recipes name out of llama.cpp's sources; their folder.

    Raises:
        InputError: llama.cpp's sources are missing, or do not fit the recipes.
    """
    place, llama_cpp = collected_folder(), _llama_cpp()
    if place.is_dir():
        return place
    if not llama_cpp.is_dir():
        raise InputError(f"{llama_cpp} is missing", "Run `llamapack engine build linux-x86_64`.")
    with layout.unfinished(layout.gpu_sources()) as folder:
        found = recipes.load(llama_cpp, TARGETS)
        for name in sorted({name for recipe in found for name in recipe.inputs}):
            copy = folder / "sources" / place.name / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(llama_cpp / name, copy)
        shutil.rmtree(place.parent, ignore_errors=True)
        (folder / "sources").rename(place.parent)
    return place


def _llama_cpp() -> Path:
    return source.folder(pins.load(native.directory()))


@contextmanager
def packed_sources(llama_cpp: Path, targets: Iterable[str]) -> Iterator[Packed]:
    """The sources and recipes, ready to be copied into a bundle.

    Args:
        llama_cpp: the folder with llama.cpp's sources, whose name holds their release.
        targets: those that the bundle has engines for.
    """
    found = recipes.load(llama_cpp, targets)
    key = json.dumps([[one.system, one.kind, one.facts, one.headers] for one in found])

    def write(archive: ZipWriter) -> None:
        for recipe in found:
            text = json.dumps(recipe.facts, sort_keys=True).encode()
            name = f"{GPU_SOURCES}{recipe.system}/{recipe.kind}.json"
            archive.add_bytes(name, text, deflate=True)
        _add_sources(archive, found, llama_cpp)

    with deflated("gpu-sources", hashlib.sha256(key.encode()).hexdigest(), write) as archive:
        yield Packed(archive, stated(archive))


def _add_sources(archive: ZipWriter, found: Sequence[Recipe], llama_cpp: Path) -> None:
    generated = {name: text for recipe in found for name, text in recipe.generated.items()}
    for name in sorted({name for recipe in found for name in recipe.files} | generated.keys()):
        member = f"{GPU_SOURCES}src/{name}"
        if name in generated:
            archive.add_bytes(member, generated[name].encode(), deflate=True)
            continue
        upstream = FileSource.of(llama_cpp / name)
        with upstream.open() as file:
            archive.add_deflated(member, file, upstream.size)
