"""The files of a repository for a quantization: the same as `-hf` of llama.cpp takes.

Rules: `find_best_model`, `find_best_sibling` and `get_gguf_split_info` in common/download.cpp of
llama.cpp v0.6.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from runtime.formats.weights import shard_names

_SPLIT = re.compile(r"(.+)-(\d{5})-of-(\d{5})", re.IGNORECASE)
_TAG = re.compile(r"[-.]([A-Z0-9_]+)$", re.IGNORECASE)
_DEFAULT = ("Q4_K_M", "Q8_0")
_WEIGHTS = re.compile(r"model(-\d{5}-of-(\d{5}))?\.safetensors")
_TORCH = re.compile(r"pytorch_model(-\d{5}-of-(\d{5}))?\.bin")
_ADAPTER = ("adapter_model.safetensors", "adapter_model.bin")
_POOLING = re.compile(r"\d+_\w+/config\.json")
_BESIDE = (".jinja", ".json", ".model", ".tiktoken", ".txt")
_NO_MODEL = ("mmproj", "imatrix", "mtp-", "eagle3-", "dflash-", "dspark-")


def is_model(path: str) -> bool:
    """Whether a file is a model by its name, not a projector, draft head or matrix."""
    name = PurePosixPath(path).name
    return name.endswith(".gguf") and not any(word in name for word in _NO_MODEL)


def best_model(files: Sequence[str], quantization: str | None) -> str | None:
    """The first shard of the model of this quantization, by default Q4_K_M, Q8_0, or the first."""
    models = [file for file in files if is_model(file) and _index(file) == 1]
    for tag in (quantization,) if quantization else _DEFAULT:
        pattern = re.compile(f"{re.escape(tag)}[.-]", re.IGNORECASE)
        for file in models:
            if pattern.search(file):
                return file
    return models[0] if models and not quantization else None


def shards(files: Iterable[str], first: str) -> list[str]:
    """All shards of the model that `first` belongs to, in order; itself alone if it has none."""
    own = _split(first)
    if own is None:
        return [first]
    return sorted(file for file in files if (_split(file) or (None,))[0] == own[0])


def missing_shards(files: Iterable[str], first: str) -> list[str]:
    """The shards that are missing, by the name of `first`."""
    own = _split(first)
    if own is None:
        return []
    stem, count = own[0]
    here = set(files)
    return [name for name in shard_names(stem, count) if name not in here]


def best_projector(files: Iterable[str], model: str) -> str | None:
    """The projector for a model: deepest shared folder first, then the nearest number of bits."""
    best: tuple[int, int] | None = None
    found = None
    folder = PurePosixPath(model).parent.parts
    for file in files:
        if not file.endswith(".gguf") or "mmproj" not in file:
            continue
        own = PurePosixPath(file).parent.parts
        if own != folder[: len(own)]:
            continue
        rank = (-len(own), abs(_bits(file) - _bits(model)))
        if best is None or rank < best:
            best, found = rank, file
    return found


def checkpoint_files(files: Iterable[str]) -> list[str] | None:
    """The files of a checkpoint that `transformers` or PEFT saved, as upstream's converter takes
    them (`index_tensors` in conversion/base.py): configuration, tokenizer, weights. No code.

    Returns:
        sorted paths; None if there is no complete checkpoint.
    """
    names = sorted(files)
    if "adapter_config.json" in names:
        weights = [name for name in _ADAPTER if name in names][:1]
    elif "config.json" in names:
        weights = _whole(_WEIGHTS, names) or _whole(_TORCH, names)
    else:
        return None
    if not weights:
        return None
    beside = [
        name
        for name in names
        if ("/" not in name and name.endswith(_BESIDE))
        or _POOLING.fullmatch(name)
        or name == "README.md"
    ]
    return sorted([*weights, *beside])


def _whole(pattern: re.Pattern[str], names: Iterable[str]) -> list[str]:
    """The files of a pattern; none if some are missing."""
    found = [match for match in map(pattern.fullmatch, names) if match]
    counts = {int(match[2] or 1) for match in found}
    return [match[0] for match in found] if counts == {len(found)} else []


def _split(path: str) -> tuple[tuple[str, int], int] | None:
    """Stem and number of shards, and which one it is; None for a whole model."""
    match = _SPLIT.fullmatch(path.removesuffix(".gguf"))
    return ((match[1], int(match[3])), int(match[2])) if match and int(match[3]) > 1 else None


def _index(path: str) -> int:
    own = _split(path)
    return own[1] if own else 1


def _bits(path: str) -> int:
    """`Q4_0` → 4, `F16` → 16; 0 if the name states none."""
    own = _split(path)
    stem = own[0][0] if own else path.removesuffix(".gguf")
    tag = _TAG.search(stem)
    digits = re.search(r"\d+", tag[1]) if tag else None
    return int(digits[0]) if digits else 0
