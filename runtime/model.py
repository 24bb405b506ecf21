"""`runtime.open`: what a file that holds a model says about it."""

from __future__ import annotations

import os
from pathlib import Path

from runtime.errors import InputError
from runtime.formats.model_facts import ModelFacts
from runtime.launch.models import loaded
from runtime.launch.parts import Bundles, Parted, parted
from runtime.launch.target import FOLDER, target_of


def open(path: str | os.PathLike[str]) -> ModelFacts:
    """The facts of the model that a start of `path` would load.

    Args:
        path: a bundle, its first part, a GGUF, its first shard, or a `NAME.exe` with the weights
            beside it. Only headers are read: milliseconds, whatever the size.

    Raises:
        InputError: it is none of these, or damaged.
    """
    file = parted(Path(path))
    with Bundles() as bundles:
        target = target_of(file.whole if isinstance(file, Parted) else file, bundles)
        weights = loaded(target, [], bundles).weights
    if target.kind == FOLDER:
        raise InputError(f"{path} is a folder of models", "Name one of the files in it.")
    if weights is None:
        raise InputError(
            f"{path} names weights that are neither inside it nor in its folder",
            "Put them into the same folder.",
        )
    return weights.facts
