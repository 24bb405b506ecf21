"""Weights of other formats are refused by name, with what to use instead."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.stand_ins import CommandLine, Refused

from packer.convert.safetensors import New, write

FILES = {
    "m.rkllm": "RKLLM", "m.onnx": "ONNX", "m.pth": "PyTorch", "m.tflite": "LiteRT",
    "m.nemo": "NeMo", "model.safetensors": "one file of a checkpoint",
}  # fmt: skip
CONFIGS = {
    "AWQ": {"quantization_config": {"quant_method": "awq", "bits": 4}},
    "EXL2": {"quantization_config": {"quant_method": "exl2"}},
    "HQQ": {"quantization_config": {"quant_method": "hqq"}},
    "MLX": {"quantization": {"group_size": 64, "bits": 4}},
    "something-new": {"quantization_config": {"quant_method": "something-new"}},
}


def _checkpoint(folder: Path, config: object) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    write(folder / "model.safetensors", [New("w", "F32", (2,), [np.zeros(2, np.float32)])])
    return folder


@pytest.mark.parametrize("verb", ["pack", "convert"])
@pytest.mark.parametrize("name", FILES)
def test_files(
    name: str, verb: str, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    (tmp_path / name).write_bytes(b"weights")
    done = llamapack(verb, tmp_path / name, cwd=tmp_path)
    assert FILES[name] in refused(done)
    assert name in done.stderr


@pytest.mark.parametrize("verb", ["pack", "convert"])
@pytest.mark.parametrize("kind", CONFIGS)
def test_methods(
    kind: str, verb: str, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    folder = _checkpoint(tmp_path / "model", CONFIGS[kind])
    done = llamapack(verb, folder, cwd=tmp_path)
    assert kind in refused(done)
    assert "Convert the original model" in done.stderr


def test_a_folder_of_something_else(
    tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    (tmp_path / "model").mkdir()
    assert "does not contain a checkpoint" in refused(llamapack("convert", tmp_path / "model"))
    (tmp_path / "model" / "model.onnx").write_bytes(b"x")
    assert "ONNX" in refused(llamapack("convert", tmp_path / "model"))
    assert "not a folder" in refused(llamapack("convert", tmp_path / "nowhere"))


def test_a_shard_is_missing(tmp_path: Path, llamapack: CommandLine, refused: Refused) -> None:
    folder = _checkpoint(tmp_path / "model", {"architectures": ["LlamaForCausalLM"]})
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    assert "has only 1 of 2 weight files" in refused(llamapack("convert", folder))


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000])
def test_a_configuration_that_is_none(
    text: str, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    folder = _checkpoint(tmp_path / "model", {})
    (folder / "config.json").write_text(text)
    assert "config.json" in refused(llamapack("convert", folder))


def test_bitsandbytes_weights_of_pytorch(
    tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    folder = _checkpoint(tmp_path / "m", {"quantization_config": {"load_in_8bit": True}})
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "bitsandbytes" in refused(llamapack("convert", folder))


def test_quantizing_what_cannot_be(
    tmp_path: Path, gguf: Path, llamapack: CommandLine, refused: Refused
) -> None:
    """The small model of these tests has Q8_0 weights."""
    assert "quantized already (Q8_0)" in refused(llamapack("quantize", gguf, "Q6_K"))
    assert "quantized already" in refused(llamapack("pack", gguf, "--quant", "Q6_K", cwd=tmp_path))
    assert "Q9 is not a quantization" in refused(llamapack("quantize", gguf, "Q9"))
    assert "importance matrix" in refused(
        llamapack("quantize", gguf, "Q6_K", "--allow-requantize", "--imatrix", tmp_path / "none")
    )
    assert "`--imatrix`" in refused(llamapack("pack", gguf, "--imatrix", gguf, cwd=tmp_path))
