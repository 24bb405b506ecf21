"""What bitsandbytes quantized becomes the numbers that it would compute with itself."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
from helpers.running import succeed
from numpy.typing import NDArray

from packer.convert.bitsandbytes import dequantize
from packer.convert.checkpoint import Checkpoint
from packer.convert.safetensors import Stored, read_header


def _numbers(tensor: Stored) -> NDArray[np.float32]:
    data = np.frombuffer(tensor.read(), np.uint8)
    if tensor.dtype == "BF16":
        return (data.view("<u2").astype(np.uint32) << 16).view(np.float32)
    return data.view({"F16": "<f2", "F32": "<f4"}[tensor.dtype]).astype(np.float32)


@pytest.mark.parametrize("kind", ["nf4", "fp4", "nf4-double", "int8"])
def test_bit_by_bit(kind: str, quantized: Path, tmp_path: Path) -> None:
    checkpoint = Checkpoint.open(quantized / kind)
    assert len(checkpoint.weights) > 1
    expected = read_header(quantized / f"{kind}.safetensors")
    assert len(expected) == 21  # seven matrices in each of three layers
    actual = dequantize(checkpoint, tmp_path / kind).tensors
    for name, tensor in expected.items():
        numbers = _numbers(tensor)
        if kind == "int8":
            numbers = numbers.astype(np.float16).astype(np.float32)
        assert np.array_equal(_numbers(actual[name]), numbers), name
    rest = {name: t for name, t in actual.items() if name not in expected}
    assert len(rest) == 9  # norms, embeddings, output
    assert all(t.read() == checkpoint.tensors[n].read() for n, t in rest.items())


def test_the_command(quantized: Path, tmp_path: Path) -> None:
    output = tmp_path / "m.gguf"
    succeed("convert", quantized / "nf4-double", "-o", output)
    assert [path.name for path in tmp_path.iterdir()] == ["m.gguf"]
    reader = gguf.GGUFReader(output)
    assert str(bytes(reader.fields["general.name"].parts[-1]), "utf-8") == "Nf4 Double"
    written = {tensor.name: tensor for tensor in reader.tensors}
    down = written["blk.1.ffn_down.weight"]
    assert down.tensor_type == gguf.GGMLQuantizationType.BF16
    expected = read_header(quantized / "nf4-double.safetensors")
    assert down.data.tobytes() == expected["model.layers.1.mlp.down_proj.weight"].read()
