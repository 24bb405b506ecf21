"""Formats of weights that cannot become GGUF, by the names of their files and of their methods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from runtime.errors import InputError

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
_CONVERTED = {"bitnet", "compressed-tensors", "fp8", "gptq", "modelopt", "mxfp4"}
"""Methods that upstream's converter undoes (`dequant_model` in conversion/ of v0.6.0)."""


def check_file(name: str) -> None:
    """Find out whether a file is weights of another format, by its name.

    Raises:
        InputError: it is; the message names the format, and the tip what to use instead.
    """
    suffix = PurePath(name).suffix.lower()
    if suffix == ".safetensors":
        raise InputError(
            f"{name} is one file of a checkpoint, not GGUF",
            "Name its folder, which also contains `config.json` and the tokenizer.",
        )
    if suffix in _FILES:
        raise InputError(f"{name} is {_FILES[suffix]}, not GGUF", _ORIGINAL)


def foreign(names: Iterable[str]) -> str | None:
    """The format of a repository, by the names of its files; None if it is none of these."""
    for name in names:
        suffix = PurePath(name).suffix.lower()
        if suffix in _FILES:
            return _FILES[suffix]
    return None


def no_checkpoint(where: str, names: Iterable[str]) -> InputError:
    """The refusal of a folder or repository that holds nothing to convert."""
    kind = foreign(names)
    if kind:
        return InputError(f"{where} contains {kind}, not a checkpoint to convert", _ORIGINAL)
    return InputError(
        f"{where} does not contain a checkpoint: `config.json` with `.safetensors` files, or "
        "`adapter_config.json` with an adapter",
        "Name the folder that `transformers` saved, or `hf:ORG/REPO`.",
    )


def check_method(where: str, config: Mapping[str, Any]) -> None:
    """Find out whether a checkpoint is quantized so that nobody here can undo it.

    Args:
        where: what messages call the checkpoint.
        config: contents of its `config.json`.

    Raises:
        InputError: it is; the message names the format, and the tip what to use instead.
    """
    method = quantization(config)
    if method is None:
        if isinstance(config.get("quantization"), dict):
            raise InputError(f"{where} is quantized for MLX", _ORIGINAL)
        return
    if method in _CONVERTED or method == "bitsandbytes":
        return
    raise InputError(f"{where} is quantized with {_METHODS.get(method, method)}", _ORIGINAL)


def quantization(config: Mapping[str, Any]) -> str | None:
    """The method that `config.json` says the weights are quantized with."""
    stated = config.get("quantization_config")
    if not isinstance(stated, dict):
        return None
    method = stated.get("quant_method")
    if isinstance(method, str):
        return method.lower()
    # Before there was `quant_method` there was bitsandbytes.
    old = stated.get("load_in_8bit") or stated.get("load_in_4bit")
    return "bitsandbytes" if old else None
