"""Folders as `transformers` and PEFT save them, and the formats that cannot become GGUF."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from packer.convert.safetensors import Stored, read_header
from runtime.errors import InputError
from runtime.formats.json_input import parse_json
from runtime.hub.choice import checkpoint_files

if TYPE_CHECKING:
    from packer.convert.bitsandbytes import EightBit, FourBit

STATE, SCALES = ".quant_state.bitsandbytes__", ".SCB"
"""In the names of tensors of bitsandbytes: facts about a weight of 4 bits; scales of one of 8."""
CONFIG = "config.json"
ADAPTER_CONFIG = "adapter_config.json"

_WEIGHTS = (".safetensors", ".bin")
_LIMIT = 16 << 20  # bytes of a configuration
_BITSANDBYTES = "bitsandbytes"
_ORIGINAL = "Convert the original model with `llamapack convert`, or use a GGUF of it."
_FILES = {
    ".ckpt": "a PyTorch checkpoint",
    ".engine": "a TensorRT engine",
    ".ggml": "ggml, the format before GGUF",
    ".h5": "Keras or TensorFlow weights",
    ".litertlm": "LiteRT-LM",
    ".mlmodel": "Core ML",
    ".mlpackage": "Core ML",
    ".msgpack": "Flax weights",
    ".nemo": "NeMo",
    ".onnx": "ONNX",
    ".pdparams": "PaddlePaddle weights",
    ".pt": "a PyTorch checkpoint",
    ".pth": "a PyTorch checkpoint",
    ".pte": "ExecuTorch",
    ".rkllm": "RKLLM (w8a8 and the like, for Rockchip's NPUs only)",
    ".rknn": "RKNN (for Rockchip's NPUs only)",
    ".task": "MediaPipe",
    ".tflite": "LiteRT (TensorFlow Lite)",
}
_METHODS = {
    "aqlm": "AQLM",
    "auto-round": "AutoRound",
    "awq": "AWQ",
    "bitblas": "BitBLAS",
    "eetq": "EETQ",
    "exl2": "EXL2 (ExLlamaV2)",
    "exl3": "EXL3 (ExLlamaV3)",
    "fbgemm_fp8": "FBGEMM FP8",
    "higgs": "HIGGS",
    "hqq": "HQQ",
    "quanto": "Quanto",
    "quark": "Quark",
    "spqr": "SpQR",
    "torchao": "torchao",
    "vptq": "VPTQ",
}
_SHARD = re.compile(r"-\d{5}-of-(\d{5})\.(?:safetensors|bin)\Z")
_CONVERTED = {"bitnet", "compressed-tensors", "fp8", "gptq", "modelopt", "mxfp4"}
"""Methods that upstream's converter undoes (`dequant_model` in conversion/ of v0.6.0)."""


@dataclass(frozen=True)
class Checkpoint:
    """A model, or an adapter to one."""

    folder: Path
    name: str
    """The folder's or repository's name."""
    config: Mapping[str, Any]
    adapter: bool
    files: tuple[str, ...]
    """Paths in the folder, without code."""

    @classmethod
    def open(cls, folder: Path, name: str | None = None) -> Checkpoint:
        """The checkpoint in a folder.

        Args:
            name: its name, if it differs from the folder's.

        Raises:
            InputError: there is none, a part is missing, or its format cannot be converted.
        """
        if not folder.is_dir():
            raise InputError(
                f"{folder} is not a folder", "Name the folder that `transformers` saved."
            )
        paths = [*folder.iterdir(), *folder.glob(f"*/{CONFIG}")]
        names = sorted(path.relative_to(folder).as_posix() for path in paths)
        files = checkpoint_files(names)
        if files is None:
            raise no_checkpoint(str(folder), names)
        adapter = ADAPTER_CONFIG in files
        config = read_config(folder / (ADAPTER_CONFIG if adapter else CONFIG), str(folder))
        found = cls(folder, name or folder.resolve().name, config, adapter, tuple(files))
        if _quantization(config) == _BITSANDBYTES and not found.tensors:
            raise InputError(
                f"{folder} contains bitsandbytes weights as PyTorch files",
                "Save it with `safe_serialization=True`, or convert the original model.",
            )
        return found

    @property
    def weights(self) -> list[Path]:
        """Its files of safetensors, or of PyTorch."""
        return [self.folder / file for file in self.files if file.endswith(_WEIGHTS)]

    def link(self, place: Path, *, weights: bool = True) -> None:
        """Link its files, with or without the weights, into the folder `place`."""
        for file in self.files:
            if weights or not file.endswith(_WEIGHTS):
                path = place / file
                path.parent.mkdir(exist_ok=True)
                _link(self.folder.absolute() / file, path)

    @cached_property
    def tensors(self) -> dict[str, Stored]:
        """All its tensors by name; empty if they are in PyTorch's own files. Raises InputError if a
        file is damaged."""
        files = (path for path in self.weights if path.suffix == ".safetensors")
        return {name: tensor for path in files for name, tensor in read_header(path).items()}

    @cached_property
    def quantized(self) -> tuple[dict[str, FourBit | EightBit], set[str]]:
        """The weights that bitsandbytes quantized, and the names of the tensors about them. Raises
        InputError if they are damaged, or numpy is missing."""
        if not any(STATE in name or name.endswith(SCALES) for name in self.tensors):
            return {}, set()
        from packer.convert.bitsandbytes import quantized

        return quantized(self.tensors)

    @property
    def is_quantized(self) -> bool:
        """Whether bitsandbytes quantized it."""
        return bool(self.quantized[0]) or _quantization(self.config) == _BITSANDBYTES

    @property
    def elements(self) -> int:
        """Count of its numbers; an estimate for PyTorch's files and for packed weights."""
        if not self.tensors:
            return sum(path.stat().st_size for path in self.weights) // 2
        weights, parts = self.quantized
        rest = (t for name, t in self.tensors.items() if name not in weights and name not in parts)
        whole = sum(math.prod(weight.shape) for weight in weights.values())
        # Integers hold several numbers each, of 4 bits or more.
        return whole + sum(
            t.size * 2 if t.dtype.startswith(("I", "U")) else t.elements for t in rest
        )


def read_config(path: Path, where: str) -> dict[str, Any]:
    """The object in a checkpoint's configuration. Raises InputError if it is missing or damaged, or
    the checkpoint, `where`, cannot be converted."""
    if not path.is_file() or path.stat().st_size > _LIMIT:
        raise InputError(f"{path} is not a configuration file", "Download the checkpoint again.")
    try:
        found = parse_json(path.read_bytes())
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InputError(f"{path} is not a JSON configuration", "Download the checkpoint again.")
    _check_method(where, found)
    return found


def check_file(name: str) -> None:
    """Raise an `InputError` for a file with the name of another format of weights."""
    suffix = PurePath(name).suffix.lower()
    if suffix == ".safetensors":
        raise InputError(
            f"{name} is one file of a checkpoint, not GGUF",
            "Name its folder, which also contains `config.json` and the tokenizer.",
        )
    if suffix in _FILES:
        raise InputError(f"{name} is {_FILES[suffix]}, not GGUF", _ORIGINAL)


def no_checkpoint(where: str, names: Sequence[str]) -> InputError:
    """The refusal of a folder or repository with these files, none of which can be converted."""
    for suffix in (PurePath(name).suffix.lower() for name in names):
        if suffix in _FILES:
            what = _FILES[suffix]
            return InputError(f"{where} contains {what}, not a checkpoint to convert", _ORIGINAL)
    shards = [match for match in map(_SHARD.search, names) if match]
    if shards and len(shards) < int(shards[0][1]):
        return InputError(
            f"{where} has only {len(shards)} of {int(shards[0][1])} weight files, such as "
            f"{shards[0].string}",
            "Download the missing files.",
        )
    return InputError(
        f"{where} does not contain a checkpoint: `config.json` with `.safetensors` files, or "
        "`adapter_config.json` with an adapter",
        "Name the folder that `transformers` saved, or `hf:ORG/REPO`.",
    )


def _check_method(where: str, config: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that is quantized by a method that nobody here can undo."""
    method = _quantization(config)
    if method is None:
        if isinstance(config.get("quantization"), dict):
            raise InputError(f"{where} is quantized for MLX", _ORIGINAL)
        return
    if method in _CONVERTED or method == _BITSANDBYTES:
        return
    raise InputError(f"{where} is quantized with {_METHODS.get(method, method)}", _ORIGINAL)


def _quantization(config: Mapping[str, Any]) -> str | None:
    """The method that `config.json` says the weights are quantized with."""
    stated = config.get("quantization_config")
    if not isinstance(stated, dict):
        return None
    method = stated.get("quant_method")
    if isinstance(method, str):
        return method.lower()
    # Before there was `quant_method` there was bitsandbytes.
    old = stated.get("load_in_8bit") or stated.get("load_in_4bit")
    return _BITSANDBYTES if old else None


def _link(path: Path, place: Path) -> None:
    try:
        place.symlink_to(path)
    except OSError:  # Windows without developer mode
        shutil.copyfile(path, place)
