"""The recipes that come with llamapack: each can be read, and says something that can be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from packer.bundle.request import PackRequest
from packer.io.sources import FileSource
from packer.metadata import sampling
from packer.metadata.fields import merged
from packer.metadata.licenses import warning
from packer.recipes.read import completed, file_of, names
from packer.templates.origin import load
from runtime.formats.gguf_header import read_header_of
from runtime.hub.settings import DEFAULT_ENDPOINT
from runtime.hub.words import HubWord, parsed


def recipe(name: str) -> PackRequest:
    return completed({"recipe": name})


@pytest.mark.parametrize("name", names())
def test_recipe(name: str) -> None:
    args = recipe(name)
    assert args.models
    for word in [*args.models, *args.lora, *args.draft]:
        remote = parsed(word, DEFAULT_ENDPOINT)
        if remote is None:
            assert read_header_of(Path(word)).tensors
        else:
            assert isinstance(remote, HubWord)
    assert list(args.mmproj) in ([], ["auto"])
    assert args.chat_template is None or load(args.chat_template)
    for path in (*args.license, *args.add):
        assert FileSource.of(Path(path)).size
    card = merged({}, args.card_field)
    assert card["pipeline_tag"]
    assert card["title"]
    # A recipe states what its quantization says, in the name and in the source.
    quantization = args.name and args.name.rpartition(".")[2]
    assert quantization is None or quantization.lower() in args.models[0].lower()
    assert sampling.pairs(sampling.merged({}, args.sampling)) or not args.sampling


@pytest.mark.parametrize("name", [name for name in names() if name != "demo"])
def test_the_card_is_the_base_models(name: str) -> None:
    """That of who made the weights smaller says little of the model, and has not its licence."""
    args = recipe(name)
    source = parsed(args.models[0], DEFAULT_ENDPOINT)
    assert isinstance(source, HubWord)
    card = parsed(args.card or args.models[0], DEFAULT_ENDPOINT)
    assert isinstance(card, HubWord)
    assert card.repo.partition("/")[0] not in {"bartowski", "ggml-org"}
    assert merged({}, args.card_field).get("base_model", card.repo) in (card.repo, "Qwen/Qwen3-8B")


@pytest.mark.parametrize("size", ["2b", "9b", "27b"])
def test_gemma_2(size: str) -> None:
    args = recipe(f"gemma-2-{size}-it")
    assert args.models[0].endswith(":Q6_K")
    assert args.ctx_size == 8192
    card = merged({}, args.card_field)
    assert card["base_model"] == f"google/gemma-2-{size}-it"
    line = warning(card, None, None, gated=False)
    assert line
    assert line.endswith("https://ai.google.dev/gemma/terms")


def test_demo_is_found_from_anywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    by_name, by_path = recipe("demo"), recipe(str(file_of("demo")))
    assert by_name.models == by_path.models
    assert FileSource.of(Path(by_name.models[0])).size
