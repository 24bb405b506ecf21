"""`llamapack convert` and `quantize` as users run them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import gguf
import numpy as np
import pytest
from converting import Models
from helpers.running import llamapack, refusal, succeed

from packer.convert.checkpoint import Checkpoint
from packer.convert.safetensors import New, write

pytestmark = pytest.mark.usefixtures("engines")

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def _metadata(path: Path, key: str) -> str:
    return str(bytes(gguf.GGUFReader(path).fields[key].parts[-1]), "utf-8")


def test_from_the_hubs_cache(models: Models, tmp_path: Path) -> None:
    """As `hf download` leaves it, without network; the model gets the repository's name."""
    repo = tmp_path / "hub" / "models--org--Tiny-Llama"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(COMMIT)
    shutil.copytree(models.folder / "llama", repo / "snapshots" / COMMIT)
    hub = str(tmp_path / "hub")
    output = tmp_path / "m.gguf"
    words = ("convert", "hf:org/Tiny-Llama", "-o", output, "--type", "q8_0", "--offline")
    succeed(*words, HF_HUB_CACHE=hub)
    assert _metadata(output, "general.name") == "Tiny Llama"
    assert {path.name for path in tmp_path.iterdir()} == {"hub", "m.gguf"}
    assert "exists already" in refusal(llamapack(*words, HF_HUB_CACHE=hub))[0]


def test_an_adapter(models: Models, tmp_path: Path) -> None:
    output = tmp_path / "a.gguf"
    words = ("convert", models.folder / "adapter", "-o", output)
    assert "--base" in llamapack(*words).stderr
    assert not output.exists()
    succeed(*words, "--base", models.folder / "llama")
    assert _metadata(output, "general.type") == "adapter"
    assert {tensor.tensor_type.name for tensor in gguf.GGUFReader(output).tensors} == {"F32"}


def test_eight_bits_of_weights_and_activations(models: Models, tmp_path: Path) -> None:
    """w8a8 as compressed-tensors has it: upstream's converter multiplies with the scales."""
    folder = tmp_path / "w8a8"
    shutil.copytree(models.folder / "llama", folder)
    for path in folder.glob("model*"):
        path.unlink()
    tensors: list[New] = []
    for name, tensor in Checkpoint.open(models.folder / "llama").tensors.items():
        data = np.frombuffer(tensor.read(), "<f4").reshape(tensor.shape)
        if not name.endswith("proj.weight"):
            tensors.append(New(name, "F32", tensor.shape, [data]))
            continue
        scales = np.abs(data).max(axis=1, keepdims=True) / np.float32(127)
        codes = np.round(data / scales).astype(np.int8)
        tensors.append(New(name, "I8", codes.shape, [codes]))
        tensors.append(New(f"{name}_scale", "F32", scales.shape, [scales]))
        if name == "model.layers.1.mlp.down_proj.weight":
            expected = codes * scales
    write(folder / "model.safetensors", tensors)
    weights = {"num_bits": 8, "type": "int", "strategy": "channel", "symmetric": True}
    quantization = {
        "quant_method": "compressed-tensors",
        "format": "int-quantized",
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}},
    }
    config = json.loads((folder / "config.json").read_text())
    text = json.dumps(config | {"quantization_config": quantization})
    (folder / "config.json").write_text(text)
    output = tmp_path / "m.gguf"
    succeed("convert", folder, "-o", output, "--type", "f32")
    found = {tensor.name: tensor.data for tensor in gguf.GGUFReader(output).tensors}
    assert np.array_equal(found["blk.1.ffn_down.weight"], expected)


def test_an_unknown_architecture(models: Models, tmp_path: Path) -> None:
    """Upstream's reason is ours, and nothing is left behind."""
    folder = tmp_path / "m"
    shutil.copytree(models.folder / "llama", folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["NeverHeardOf"]}))
    error, _ = refusal(llamapack("convert", folder, "-o", tmp_path / "m.gguf"))
    assert "NeverHeardOf is not supported" in error
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_quantize(whole: dict[str, Path], tmp_path: Path) -> None:
    output = tmp_path / "q.gguf"
    words = ("quantize", whole["llama"], "q6_k", "-o", output)
    assert succeed(*words) == f"{output}\n"
    kinds = {t.name: t.tensor_type.name for t in gguf.GGUFReader(output).tensors}
    assert kinds["blk.0.ffn_down.weight"] == "Q6_K"
    first = output.read_bytes()
    assert "exists already" in refusal(llamapack(*words))[0]
    succeed(*words, "--force")
    assert output.read_bytes() == first
    refused = llamapack("quantize", whole["llama"], "IQ1_S", "-o", tmp_path / "i.gguf")
    assert "imatrix" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["q.gguf"]


def test_quantize_with_what_matters(whole: dict[str, Path], tmp_path: Path) -> None:
    """An importance matrix as llama-imatrix writes it; its folder stays private."""
    matrix = tmp_path / "secret" / "m.imatrix"
    matrix.parent.mkdir()
    writer = gguf.GGUFWriter(matrix, "")
    writer.add_type("imatrix")
    writer.add_array("imatrix.datasets", ["text"])
    writer.add_uint32("imatrix.chunk_count", 1)
    writer.add_uint32("imatrix.chunk_size", 512)
    for tensor in gguf.GGUFReader(whole["llama"]).tensors:
        if len(tensor.shape) == 2:
            columns = int(tensor.shape[0])
            sums = np.linspace(0.1, 9, columns, dtype=np.float32).reshape(1, columns)
            writer.add_tensor(f"{tensor.name}.in_sum2", sums)
            writer.add_tensor(f"{tensor.name}.counts", np.ones((1, 1), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    plain, weighted = tmp_path / "plain.gguf", tmp_path / "weighted.gguf"
    for output, more in ((plain, []), (weighted, ["--imatrix", matrix])):
        succeed("quantize", whole["llama"], "Q4_K_M", "-o", output, *more)
    assert _metadata(weighted, "quantize.imatrix.file") == "m.imatrix"
    tensors = [
        next(t for t in gguf.GGUFReader(path).tensors if t.name == "blk.0.attn_q.weight")
        for path in (plain, weighted)
    ]
    assert tensors[0].data.tobytes() != tensors[1].data.tobytes()
