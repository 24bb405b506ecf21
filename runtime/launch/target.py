"""The file that a start runs, the files that belong to it, and the model that it loads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import InputError
from runtime.formats.args_file import ZIP, data_words, divide, parse
from runtime.formats.bundle import ARGS, Bundle
from runtime.formats.gguf_header import read_header_of
from runtime.formats.model_facts import shard
from runtime.formats.weights import Weights, in_bundle, in_files, is_gguf
from runtime.formats.zip_directory import STORED
from runtime.launch.flags import Flags, read_flags
from runtime.launch.parts import Bundles

BUNDLE, GGUF, FOLDER = "bundle", "gguf", "folder"
_ENDINGS = (".exe", ".EXE", ".llamafile")


@dataclass(frozen=True)
class StartTarget:
    """Something to run."""

    kind: str
    """`BUNDLE`, `GGUF`, or `FOLDER` with models."""
    path: Path
    weights: Path | None = None
    """For a bundle without weights: the bundle or GGUF beside it that has them."""


def target_of(path: Path, bundles: Bundles) -> StartTarget:
    """What `path` is, as a file or in parts; `InputError` if it cannot be run."""
    if path.is_dir():
        if not any(path.rglob("*.gguf")):
            raise InputError(f"{path} has no `.gguf` in it", "Name a folder of models, or a file.")
        return StartTarget(FOLDER, path)
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


def _sidecar(path: Path) -> Path | None:
    """Weights beside a bundle that has none, by the rules of native/engine/sidecar.cpp."""
    stem = path.name.removesuffix(path.suffix) if path.suffix in _ENDINGS else path.name
    for name in (f"{stem}.llamafile", stem, f"{stem}.gguf"):
        other = path.with_name(name)
        if other != path and other.is_file():
            return other
    return None


@dataclass(frozen=True)
class Loaded:
    """The files that a start reads, and its flags."""

    flags: Flags
    """Of the bundle's words and the user's."""
    weights: Weights | None
    """None if a router loads models later, or if the engine will say that there are none."""
    others: int
    """Bytes of projector and adapters."""


def loaded(
    target: StartTarget, words: Sequence[str], bundles: Bundles, engine: Path | None = None
) -> Loaded:
    """The files that a start loads, given the user's words.

    Args:
        engine: the bundle or archive that brings the engine; another file's arguments count only
            if they are about the model. None: nothing is started.

    Raises:
        InputError: it cannot be found or read, or has arguments that it may not decide.
    """
    own = read_flags(words)
    named = Path(own.model) if own.model else None
    if target.kind == FOLDER:
        return Loaded(own, None, 0)
    if named is not None and is_gguf(named):
        return _of(own, None, in_files(named))
    if target.kind == GGUF:
        return _of(own, None, in_files(target.path))
    container = target.weights or target.path
    if named is not None and named.is_file():
        container = named
    if is_gguf(container) and engine is not None and engine != target.path:
        return _of(own, None, in_files(container))  # the other engine gets no more
    # The arguments are those of the bundle even if the weights are beside it.
    bundle = bundles.opened(target.path if is_gguf(container) else container)
    if engine is None or own.trusts_args or _brings_engine(bundle, bundles.opened(engine)):
        before, after = divide(parse(bundle.args, os.environ))
    else:
        before, after = data_words(bundle), []
    flags = read_flags(before).then(own).then(read_flags(after))
    if is_gguf(container):
        return _of(flags, bundle, in_files(container))
    return _of(flags, bundle, _chosen(bundle, flags))


def _brings_engine(bundle: Bundle, engine: Bundle) -> bool:
    """Whether the engine's bundle has the same arguments, as NAME.exe of NAME.llamafile."""
    return ARGS in engine.members and engine.args == bundle.args


def _chosen(bundle: Bundle, flags: Flags) -> Weights | None:
    """The model that a bundle loads; None if it names one that does not exist."""
    name = flags.model.removeprefix(ZIP)
    if name in bundle.members:
        return in_bundle(bundle, name)
    if name:
        # As native/engine/sidecar.cpp has it.
        beside = bundle.path.with_name(Path(name).name)
        return in_files(beside) if beside.name == name and is_gguf(beside) else None
    stored = [member.name for member in bundle.weights if member.method == STORED]
    if not stored:
        raise InputError(f"{bundle.path} holds no weights", "Name some with `-m FILE.gguf`.")
    return in_bundle(bundle, stored[0])


def _of(flags: Flags, bundle: Bundle | None, weights: Weights | None) -> Loaded:
    named = [flags.mmproj, *flags.adapters]
    return Loaded(flags, weights, sum(_size(bundle, name) for name in named if name))


def _size(bundle: Bundle | None, name: str) -> int:
    member = bundle.members.get(name.removeprefix(ZIP)) if bundle else None
    if member and (name.startswith(ZIP) or not Path(name).exists()):
        return member.size
    path = Path(name)
    return path.stat().st_size if path.is_file() else 0  # the engine says that it is missing
