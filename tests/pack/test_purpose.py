"""What a model is for: said by `inspect` and the card, and what `.args` needs for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.running import append_members
from helpers.stand_ins import CommandLine, write_gguf

from packer.bundle.purpose import lacks_pooling, options_of, pooling_of, purpose_of
from packer.weights.documents import SmallFile, stated_pooling
from runtime.formats.args_file import parse
from runtime.formats.bundle import MODELS, Bundle
from runtime.formats.gguf_header import Header, Tensor, Value

EMBEDS: Mapping[str, Any] = {"architecture": "bert", "facts": {"bert.pooling_type": 1}}
RANKS: Mapping[str, Any] = {
    "architecture": "bert",
    "facts": {"bert.classifier.output_labels": ["LABEL_0"], "bert.attention.causal": False},
}


def models(llamapack: CommandLine, path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(llamapack.ran("inspect", path, "--json").stdout)[
        "models"
    ]
    return found


def words(path: Path) -> list[str]:
    with Bundle.open(path) as bundle:
        return parse(bundle.args)


@pytest.mark.parametrize(
    ("model", "purpose", "options", "tag", "address"),
    [
        ({}, "chat", [], "text-generation", "/v1/chat/completions"),
        ({"template": None}, "completion", [], "text-generation", "/v1/completions"),
        (EMBEDS, "embedding", ["--embeddings"], "feature-extraction", "/v1/embeddings"),
        (RANKS, "reranker", ["--reranking"], "text-ranking", "/v1/rerank"),
    ],
)
def test_a_model_of_each_kind(
    model: Mapping[str, Any], purpose: str, options: Sequence[str], tag: str, address: str,
    *, tmp_path: Path, llamapack: CommandLine,
) -> None:  # fmt: skip
    path, output = write_gguf(tmp_path / "m.gguf", **model), tmp_path / "m.llamafile"
    llamapack.ran("pack", path, "-o", output, "-q")
    assert [one["purpose"] for one in (*models(llamapack, path), *models(llamapack, output))] == [
        purpose, purpose,
    ]  # fmt: skip
    assert f"  kind         {purpose}\n" in llamapack.ran("inspect", output).stdout
    assert words(output) == ["-m", "m.gguf", *options]
    card = llamapack.ran("card", output).stdout
    front = yaml.safe_load(card.split("---")[1])
    assert front["pipeline_tag"] == tag
    assert ("conversational" in front["tags"]) == (purpose == "chat")
    assert f"curl http://localhost:8080{address} " in card
    assert "--server --nobrowser --host 0.0.0.0\n" in card


_CAUSAL = {"x.attention.causal": False}


@pytest.mark.parametrize(
    ("architecture", "facts", "tensors", "purpose"),
    [
        ("qwen3", {"x.pooling_type": 3}, (), "embedding"),
        ("qwen3", {"x.pooling_type": 4}, (), "reranker"),
        ("qwen3", {"x.pooling_type": 0}, (), "chat"),
        ("qwen3", {"x.pooling_type": 0xFFFFFFFF}, (), "chat"),
        ("t5encoder", {}, (), "embedding"),
        ("an-encoder-to-come", _CAUSAL, (), "embedding"),
        ("jina-bert-v2", _CAUSAL, ("cls.weight",), "reranker"),
        ("qwen3", {}, ("cls.output.weight",), "reranker"),
        ("modern-bert", _CAUSAL, ("cls.weight",), "embedding"),
        ("bert", {"x.pooling_type": 2, "x.classifier.output_labels": 1}, (), "embedding"),
        ("llada", _CAUSAL, (), None),
        ("lfm2", {**_CAUSAL, "x.decision.block_count": 2}, ("cls.output.weight",), None),
        ("clip", {}, (), None),
    ],
)
def test_headers(
    architecture: str, facts: dict[str, Value], tensors: Sequence[str], purpose: str | None
) -> None:
    assert purpose_of(header(architecture, facts, tensors), template=True) == purpose


def header(architecture: str, facts: Mapping[str, Value], tensors: Sequence[str] = ()) -> Header:
    """`x.` in the names of facts is the architecture."""
    metadata: dict[str, Value] = {"general.architecture": architecture}
    metadata |= {key.replace("x.", f"{architecture}.", 1): value for key, value in facts.items()}
    return Header(3, metadata, [Tensor(name, (1,), 0, 0) for name in tensors], 32, 0)


@pytest.mark.parametrize(
    ("own", "model", "options", "purpose"),
    [
        ("-c 512 --server", EMBEDS, ["--embeddings"], "embedding"),
        ("--pooling cls", EMBEDS, ["--embeddings"], "embedding"),
        ("--pooling rank", EMBEDS, ["--reranking"], "reranker"),
        ("--server --embedding --pooling mean", EMBEDS, [], "embedding"),
        ("--embeddings --pooling rank", EMBEDS, [], "reranker"),
        ("--rerank", EMBEDS, [], "reranker"),
        ("--cli", EMBEDS, [], "embedding"),
        ("--embeddings --pooling mean", {}, [], "embedding"),
        ("--alias --embeddings", {}, [], "chat"),
        ("--chat_template chatml", {"template": None}, [], "chat"),
    ],
)
def test_the_words_of_the_packer_s_user_win(
    own: str, model: Mapping[str, Any], options: Sequence[str], purpose: str,
    *, tmp_path: Path, llamapack: CommandLine,
) -> None:  # fmt: skip
    path, output = write_gguf(tmp_path / "m.gguf", **model), tmp_path / "m.llamafile"
    done = llamapack.ran("pack", path, "-o", output, f"--args={own}")
    assert words(output) == ["-m", "m.gguf", *options, *own.split()]
    assert models(llamapack, output)[0]["purpose"] == purpose
    assert "no chat template" not in done.stderr
    edited = tmp_path / "edited.llamafile"
    llamapack.ran("pack", path, "-o", edited, "-q", "--args", "--temp 0", "--name", "m")
    llamapack.ran("edit", edited, f"--args={own}", "-q")
    assert edited.read_bytes() == output.read_bytes()


def test_words_that_a_user_gave_before_there_were_purposes(
    llamapack: CommandLine, gguf: Path, tmp_path: Path
) -> None:
    """They stay with everything that `edit` does to other parts, and go with `--args`."""
    path = tmp_path / "m.llamafile"
    llamapack.ran("pack", gguf, "-o", path, "-q", "--args=--embeddings")
    with Bundle.open(path) as bundle:
        assert bundle.args == "-m\ntiny.gguf\n\n--embeddings\n"
    other = write_gguf(tmp_path / "other.gguf", seed=2)
    llamapack.ran("edit", path, "--add", other, "--remove", "tiny.gguf", "-q")
    assert words(path) == ["-m", "other.gguf", "--embeddings"]
    llamapack.ran("edit", path, "--args=", "-q")
    assert words(path) == ["-m", "other.gguf"]


def test_the_card_of_a_bundle_from_before_there_were_purposes(
    llamapack: CommandLine, tmp_path: Path
) -> None:
    path = tmp_path / "m.llamafile"
    llamapack.ran("pack", write_gguf(tmp_path / "m.gguf", **EMBEDS), "-o", path, "-q")
    append_members(path, {".args": "-m\nm.gguf\n-c\n64\n"})
    assert "--host 0.0.0.0 --embeddings\n" in llamapack.ran("card", path).stdout


def test_another_model_has_another_purpose(llamapack: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "m.llamafile"
    llamapack.ran("pack", write_gguf(tmp_path / "e.gguf", **EMBEDS), "-o", path, "-q")
    chat = write_gguf(tmp_path / "c.gguf", seed=2)
    llamapack.ran("edit", path, "--add", chat, "--remove", "e.gguf", "-q")
    assert words(path) == ["-m", "c.gguf"]


def test_several_models(llamapack: CommandLine, tmp_path: Path) -> None:
    """Each says it for itself, where the router reads it."""
    chat, embeds = write_gguf(tmp_path / "c.gguf"), write_gguf(tmp_path / "e.gguf", **EMBEDS)
    ranks, path = write_gguf(tmp_path / "r.gguf", **RANKS), tmp_path / "all.llamafile"
    llamapack.ran(
        "pack", "--model", f"e={embeds}", "--model", f"c={chat}", "--args", "-t 1",
        "--mmproj", f"c={write_gguf(tmp_path / 'p.gguf', kind='mmproj')}",
        "--model-args", "e=-c 64", "-o", path, "-q",
    )  # fmt: skip
    recipe = llamapack.ran("inspect", "--recipe", path).stdout
    llamapack.ran("edit", path, "--add", ranks, "-q")
    assert words(path) == ["-m", "e.gguf", "--models-preset", "/zip/models.ini", "-t", "1"]
    with Bundle.open(path) as bundle:
        assert bundle.read(MODELS).decode() == (
            "[e]\nmodel = /zip/e.gguf\nembeddings = true\nc = 64\n\n"
            "[c]\nmodel = /zip/c.gguf\nmmproj = /zip/p.gguf\n\n"
            "[r]\nmodel = /zip/r.gguf\nreranking = true\n"
        )
    found = [one["purpose"] for one in models(llamapack, path)]
    assert found == ["embedding", "vision chat", None, "reranker"]
    assert 'e = "-c 64"' in recipe


@pytest.mark.parametrize(
    ("facts", "purpose", "tag"),
    [
        ({}, "vision chat", "image-text-to-text"),
        ({"clip.has_vision_encoder": True}, "vision chat", "image-text-to-text"),
        ({"clip.has_audio_encoder": True}, "audio chat", "audio-text-to-text"),
    ],
)
def test_projectors(
    facts: Mapping[str, bool], purpose: str, tag: str,
    *, gguf: Path, tmp_path: Path, llamapack: CommandLine,
) -> None:  # fmt: skip
    path = tmp_path / "m.llamafile"
    projector = write_gguf(tmp_path / "p.gguf", architecture="clip", kind="mmproj", facts=facts)
    llamapack.ran("pack", gguf, "--mmproj", projector, "-o", path, "-q")
    assert [one["purpose"] for one in models(llamapack, path)] == [purpose, None]
    assert f"pipeline_tag: {tag}\n" in llamapack.ran("card", path).stdout


def test_a_projector_in_the_folder_of_the_model(llamapack: CommandLine, tmp_path: Path) -> None:
    """Is named, and added if that is asked for; one of another model is neither."""
    model = write_gguf(tmp_path / "m-Q8_0.gguf", facts={"llama.embedding_length": 64})
    facts = {"clip.vision.projection_dim": 64}
    write_gguf(tmp_path / "mmproj-m-F16.gguf", architecture="clip", kind="mmproj", facts=facts)
    output = tmp_path / "m.llamafile"
    done = llamapack.ran("pack", model, "-o", output)
    assert "there is a projector, mmproj-m-F16.gguf; add `--mmproj auto` to pack it" in done.stderr
    assert words(output) == ["-m", "m-Q8_0.gguf"]
    quiet = llamapack.ran("pack", model, "-o", output, "--force", "--mmproj", "none")
    assert "there is a projector" not in quiet.stderr
    llamapack.ran("pack", model, "-o", output, "--force", "--mmproj", "auto")
    assert words(output) == ["-m", "m-Q8_0.gguf", "--mmproj", "mmproj-m-F16.gguf"]
    other = write_gguf(tmp_path / "other.gguf", facts={"llama.embedding_length": 32})
    done = llamapack.ran("pack", other, "-o", output, "--force")
    assert "there is a projector" not in done.stderr


ENCODER = header("t5encoder", {"x.embedding_length": 8})
MODULES = '[{"path": "", "type": "x.Transformer"}, {"path": "1_Pooling", "type": "x.Pooling"}]'


@pytest.mark.parametrize(
    ("modules", "settings", "pooling"),
    [
        (MODULES, {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}, "cls"),
        (MODULES, {"pooling_mode": "lasttoken", "word_embedding_dimension": 8}, "last"),
        (MODULES, {"pooling_mode_mean_tokens": True, "word_embedding_dimension": 9}, None),
        (MODULES, {"pooling_mode_max_tokens": True}, None),
        (MODULES.replace("1_P", "../P"), {"pooling_mode_mean_tokens": True}, None),
        ("[1]", {"pooling_mode_mean_tokens": True}, None),
        ("[", {}, None),
    ],
)
def test_pooling_that_sentence_transformers_states(
    modules: str, settings: Mapping[str, object], pooling: str | None
) -> None:
    files = {"modules.json": modules, "1_Pooling/config.json": json.dumps(settings)}

    def document(name: str) -> SmallFile | None:
        return SmallFile(name, files[name].encode(), name) if name in files else None

    assert stated_pooling(document, ENCODER) == pooling


def test_pooling_that_the_gguf_does_not_state(llamapack: CommandLine, tmp_path: Path) -> None:
    """Comes from the folder of the model, and is not lost with other arguments."""
    path, output = tmp_path / "m.gguf", tmp_path / "m.llamafile"
    write_gguf(path, architecture="t5encoder", facts={"t5encoder.embedding_length": 64})
    assert "does not say how it pools" in llamapack.ran("pack", path, "-o", output).stderr
    assert words(output) == ["-m", "m.gguf", "--embeddings"]
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    (tmp_path / "modules.json").write_text(MODULES)
    done = llamapack.ran("pack", path, "-o", output, "--force")
    assert "does not say" not in done.stderr
    assert words(output) == ["-m", "m.gguf", "--embeddings", "--pooling", "mean"]
    again, recipe = tmp_path / "again.llamafile", tmp_path / "m.toml"
    recipe.write_text(llamapack.ran("inspect", "--recipe", output).stdout)
    llamapack.ran("pack", "--recipe", recipe, "-o", again, "-q")
    assert again.read_bytes() == output.read_bytes()
    llamapack.ran("edit", output, "--args", "-c 64", "-q")
    assert words(output) == ["-m", "m.gguf", "--embeddings", "--pooling", "mean", "-c", "64"]
    llamapack.ran("pack", path, "-o", again, "-q", "--force", "--args", "-c 64")
    assert again.read_bytes() == output.read_bytes()
    llamapack.ran("edit", output, "--args=--pooling last", "-q")
    assert words(output) == ["-m", "m.gguf", "--embeddings", "--pooling", "last"]


def test_pooling_that_is_known() -> None:
    stated = header("bert", {"x.pooling_type": 1})
    assert pooling_of(stated, (), "cls") == []
    assert pooling_of(ENCODER, ["--pooling", "last"], "cls") == []
    assert pooling_of(ENCODER, ["--reranking"], "cls") == []
    unknown = header("t5encoder", {"x.pooling_type": 0xFFFFFFFF})
    assert pooling_of(unknown, (), "cls") == ["--pooling", "cls"]
    assert pooling_of(ENCODER, ["--embeddings"], "cls") == ["--pooling", "cls"]
    assert pooling_of(header("llama", {}), (), "last") == ["--pooling", "last"]
    assert options_of(header("llama", {}), ["--pooling", "last"]) == ["--embeddings"]
    assert lacks_pooling(ENCODER, ())
    assert not lacks_pooling(ENCODER, ["--pooling", "mean"])
    assert not lacks_pooling(stated, ())
    assert not lacks_pooling(header("llama", {}), ())
