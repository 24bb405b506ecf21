"""Checkpoints of the Hub: which files are fetched, and when there is nothing to convert."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.hub_server import HubServer, Repo
from helpers.stand_ins import CommandLine, Refused

from packer.convert.checkpoint import Checkpoint
from packer.convert.safetensors import New, write
from packer.convert.workshop import Workshop
from packer.io.output_place import OutputPlace
from packer.weights.locator import Locator
from runtime.hub.choice import checkpoint_files

CONFIG = json.dumps({"architectures": ["LlamaForCausalLM"]}).encode()


@pytest.fixture
def repo(tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> Repo:
    files = {
        "config.json": CONFIG,
        "tokenizer.model": b"pieces",
        "tokenizer_config.json": b"{}",
        "chat_template.jinja": b"{{ messages }}",
        "README.md": b"a card",
        "modeling_tiny.py": b"raise SystemExit",
        "pytorch_model.bin": b"pickles",
        "original/params.json": b"{}",
    }
    for number in (1, 2):
        path = tmp_path / f"model-0000{number}-of-00002.safetensors"
        write(path, [New(f"w{number}", "F32", (4,), [np.ones(4, np.float32)])])
        files[path.name] = path.read_bytes()
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    hub.repos["org/Tiny"] = Repo(files)
    return hub.repos["org/Tiny"]


def test_the_files_of_a_checkpoint(repo: Repo, hub: HubServer) -> None:
    with Locator(quiet=True) as locator:
        found = locator.checkpoint("hf:org/Tiny")
    assert found.name == "Tiny"
    names = {path.relative_to(found.folder).as_posix() for path in found.folder.rglob("*")}
    assert names == set(repo.files) - {
        "modeling_tiny.py",
        "pytorch_model.bin",
        "original",
        "original/params.json",
    }
    assert sorted(found.tensors) == ["w1", "w2"]
    hub.repos.clear()
    with Locator(quiet=True, offline=True) as locator:
        assert locator.checkpoint("hf:org/Tiny").folder == found.folder


@pytest.mark.parametrize("offline", [False, True])
def test_a_repository_without_gguf_is_converted(
    offline: bool, repo: Repo, gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `pack` asks for it; tests/e2e/convert really converts."""
    found: list[Checkpoint] = []
    monkeypatch.setattr(
        Workshop, "converted", lambda self, checkpoint, find: found.append(checkpoint) or gguf
    )
    if offline:
        with Locator(quiet=True) as locator:
            locator.checkpoint("hf:org/Tiny")
        repo.files.clear()
    with (
        Workshop(OutputPlace()) as shop,
        Locator(quiet=True, offline=offline, workshop=shop) as locator,
    ):
        assert locator.model("hf:org/Tiny").weights.path == gguf
    assert [sorted(checkpoint.tensors) for checkpoint in found] == [["w1", "w2"]]


def test_a_refusal_comes_before_the_weights(
    repo: Repo, hub: HubServer, llamapack: CommandLine, refused: Refused, tmp_path: Path
) -> None:
    repo.files["config.json"] = b'{"quantization_config": {"quant_method": "awq"}}'
    done = llamapack("pack", "hf:org/Tiny", "--quant", "Q6_K", cwd=tmp_path)
    assert "hf:org/Tiny is quantized with AWQ" in refused(done)
    asked = [request.path for request in hub.log]
    assert not any("safetensors" in path for path in asked)


@pytest.mark.parametrize("verb", ["pack", "convert"])
def test_nothing_to_convert(
    verb: str, repo: Repo, llamapack: CommandLine, refused: Refused, tmp_path: Path
) -> None:
    repo.files = {"model-w8a8.rkllm": b"x", "config.json": CONFIG}
    done = llamapack(verb, "hf:org/Tiny", cwd=tmp_path)
    assert "RKLLM" in refused(done)


def test_one_file_is_no_checkpoint(
    repo: Repo, llamapack: CommandLine, refused: Refused, tmp_path: Path
) -> None:
    for word in ("hf:org/Tiny:Q8_0", "hf:org/Tiny/config.json"):
        assert "names one file" in refused(llamapack("convert", word, cwd=tmp_path))


def test_which_files() -> None:
    assert checkpoint_files(["config.json", "model.safetensors"]) == [
        "config.json",
        "model.safetensors",
    ]
    adapter = ["adapter_config.json", "adapter_model.safetensors"]
    assert checkpoint_files([*adapter, "optimizer.pt"]) == adapter
    assert checkpoint_files(["model.safetensors"]) is None
    assert checkpoint_files(["config.json", "model-00001-of-00002.safetensors"]) is None
    # Of the sentence-transformers, how a text becomes one vector.
    assert "1_Pooling/config.json" in (
        checkpoint_files(["config.json", "model.safetensors", "1_Pooling/config.json"]) or []
    )
