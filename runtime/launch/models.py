"""Which model a start loads, and what else beside it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import InputError
from runtime.formats.args_file import ZIP, data_words, merge, parse
from runtime.formats.bundle import ARGS, Bundle
from runtime.formats.weights import Weights, in_bundle, in_files, is_gguf
from runtime.formats.zip_directory import STORED
from runtime.launch.flags import Flags, read_flags
from runtime.launch.parts import Bundles
from runtime.launch.target import FOLDER, GGUF, StartTarget


@dataclass(frozen=True)
class Loaded:
    """What a start reads."""

    flags: Flags
    """What the words mean, the bundle's own with the user's."""
    weights: Weights | None
    """None where a router loads models later, or where the engine will say that there is none."""
    others: int
    """Bytes of a projector and of adapters."""


def loaded(
    target: StartTarget, words: Sequence[str], bundles: Bundles, engine: Path | None = None
) -> Loaded:
    """What a start with these words of the user's loads.

    Args:
        engine: the bundle or archive that brings the engine; of another file's arguments only those
            about the model count. None: nothing is started.

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
        return _of(own, None, in_files(container))  # all that the other's engine is told of
    # The arguments are those of the bundle even where the weights lie beside it.
    bundle = bundles.opened(target.path if is_gguf(container) else container)
    trusts = own.trusts_args
    if engine is None or trusts or _brings_engine(bundle, bundles.opened(engine)):
        flags = read_flags(merge(parse(bundle.args, os.environ), words))
    else:
        flags = read_flags([*data_words(bundle), *words])
    if is_gguf(container):
        return _of(flags, bundle, in_files(container))
    return _of(flags, bundle, _chosen(bundle, flags))


def _brings_engine(bundle: Bundle, engine: Bundle) -> bool:
    """Whether the engine's bundle has these arguments: NAME.exe has those of NAME.llamafile."""
    return ARGS in engine.members and engine.args == bundle.args


def _chosen(bundle: Bundle, flags: Flags) -> Weights | None:
    """The model that a bundle's start loads; None if it names one that is not there."""
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
    named = [*flags.mmproj.split(","), *flags.adapters]
    return Loaded(flags, weights, sum(_size(bundle, name) for name in named if name))


def _size(bundle: Bundle | None, name: str) -> int:
    member = bundle.members.get(name.removeprefix(ZIP)) if bundle else None
    if member and (name.startswith(ZIP) or not Path(name).exists()):
        return member.size
    path = Path(name)
    return path.stat().st_size if path.is_file() else 0  # the engine says that it is missing
