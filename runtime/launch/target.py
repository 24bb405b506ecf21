"""What somebody asks to run: which file that is, and what belongs to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runtime.errors import InputError
from runtime.formats.gguf_header import read_header_of
from runtime.formats.model_facts import shard
from runtime.formats.weights import is_gguf
from runtime.launch.parts import Bundles

BUNDLE, GGUF, FOLDER = "bundle", "gguf", "folder"
_ENDINGS = (".exe", ".EXE", ".llamafile")


@dataclass(frozen=True)
class StartTarget:
    """Something to run."""

    kind: str
    """`bundle`, `gguf`, or `folder` with models."""
    path: Path
    """Of the bundle that is started, the model, or the folder."""
    weights: Path | None = None
    """Of a bundle without weights: the bundle or GGUF beside it that has them."""


def target_of(path: Path, bundles: Bundles) -> StartTarget:
    """What lies at `path`, as a file or in parts.

    Raises:
        InputError: it is nothing that can be run.
    """
    if path.is_dir():
        return _folder(path)
    if is_gguf(path):
        place = shard(read_header_of(path))
        if place and place.number:
            raise InputError(
                f"{path} is shard {place.number + 1} of {place.count}",
                "Name the first one, `…-00001-of-….gguf`: the others are found.",
            )
        return StartTarget(GGUF, path)
    if bundles.opened(path).weights:
        return StartTarget(BUNDLE, path)
    weights = _sidecar(path)
    if weights is None:
        raise InputError(
            f"{path} holds no weights, and there are none beside it",
            "Put its `.llamafile` or `.gguf` into the same folder, under the same name.",
        )
    return StartTarget(BUNDLE, path, weights)


def _folder(path: Path) -> StartTarget:
    if not any(path.rglob("*.gguf")):
        raise InputError(f"{path} has no `.gguf` in it", "Name a folder of models, or a file.")
    return StartTarget(FOLDER, path)


def _sidecar(path: Path) -> Path | None:
    """Weights beside a bundle that has none, by the rules of native/engine/sidecar.cpp."""
    stem = path.name.removesuffix(path.suffix) if path.suffix in _ENDINGS else path.name
    for name in (f"{stem}.llamafile", stem, f"{stem}.gguf"):
        other = path.with_name(name)
        if other != path and other.is_file():
            return other
    return None
