"""The table of what a recipe can say, against the command line of `pack`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from packer import commands
from packer.metadata import sampling
from packer.recipes.fields import FIELDS, OF_THE_RUN
from packer.recipes.read import completed


def flags_of_pack() -> set[str]:
    """As its help lists them, positional arguments by their names there."""
    top = commands.parser(["pack"])
    (verbs,) = (one for one in top._actions if isinstance(one, argparse._SubParsersAction))
    actions = verbs.choices["pack"]._actions
    longest = {max(one.option_strings, key=len, default=str(one.metavar)) for one in actions}
    return longest - {"--help"}


def parsed(*words: str) -> dict[str, Any]:
    stated = vars(commands.parser(["pack"]).parse_args(["pack", *words]))
    found = dict(vars(completed(stated)))
    found["sampling"] = sampling.merged({"top_k": 1}, found["sampling"])
    return {name: value for name, value in found.items() if name not in ("run", "refuse", "recipe")}


def test_every_flag_has_a_key() -> None:
    keys = {field.flag.replace("--merge", "--no-merge") for field in FIELDS}
    assert flags_of_pack() == keys | OF_THE_RUN.keys()
    assert len({field.key for field in FIELDS}) == len(FIELDS)


_SAMPLES: dict[str, tuple[str, list[str]]] = {
    "weights": ('["a.gguf", "hf:org/repo:Q8_0"]', ["{}/a.gguf", "hf:org/repo:Q8_0"]),
    "models": (
        '{ a = "a.gguf", b = "hf:org/repo" }',
        ["--model", "a={}/a.gguf", "--model", "b=hf:org/repo"],
    ),
    "model-args": ('{ a = "-c 1" }', ["--model-args", "a=-c 1"]),
    "name": ('"n"', ["--name", "n"]),
    "args": ("'--temp 0'", ["--args", "--temp 0"]),
    "args-file": ('"words"', ["--args-file", "{}/words"]),
    "ctx-size": ("4096", ["--ctx-size", "4096"]),
    "sampling": (
        '{ temperature = 0.5, stop = ["a", "b"] }',
        ["--sampling=none", "--sampling=temperature=0.5", "--sampling=stop=a", "--sampling=stop=b"],
    ),
    "chat-template": ('"chatml"', ["--chat-template", "chatml"]),
    "mmproj": ('"p.gguf"', ["--mmproj", "{}/p.gguf"]),
    "lora": (
        '["a.gguf", { file = "b.gguf", scale = 0.5 }]',
        ["--lora", "{}/a.gguf", "--lora", "{}/b.gguf:0.5"],
    ),
    "draft": ('"d.gguf"', ["--draft", "{}/d.gguf"]),
    "quant": ('"Q6_K"', ["--quant", "Q6_K"]),
    "imatrix": ('"i.gguf"', ["--imatrix", "{}/i.gguf"]),
    "merge": ("true", ["--merge"]),
    "add": ('"x.gbnf"', ["--add", "{}/x.gbnf"]),
    "card": ('"README.md"', ["--card", "{}/README.md"]),
    "card-fields": (
        '{ license = "mit", tags = ["a"] }',
        ["--card-field", "license=mit", "--card-field", "tags=[a]"],
    ),
    "license": ('["LICENSE"]', ["--license", "{}/LICENSE"]),
    "runtime": ('"their.llamafile"', ["--runtime", "{}/their.llamafile"]),
    "targets": ('["linux-x86_64", "windows-x86_64"]', ["--targets", "linux-x86_64,windows-x86_64"]),
    "gpu": ('"none"', ["--gpu", "none"]),
    "gpu-sources": ('"yes"', ["--gpu-sources", "yes"]),
    "format": ('"elf"', ["--format", "elf"]),
    "windows": ('"none"', ["--windows", "none"]),
    "split-size": ('"1.9GiB"', ["--split-size", "1.9GiB"]),
    "no-split": ("true", ["--no-split"]),
}


@pytest.mark.parametrize("key", [field.key for field in FIELDS])
def test_key_and_flag_come_to_the_same(key: str, tmp_path: Path) -> None:
    value, words = _SAMPLES[key]
    recipe = tmp_path / "r.toml"
    recipe.write_text(f"{key} = {value}\n")
    from_recipe = parsed("--recipe", str(recipe))
    assert from_recipe == parsed(*(word.replace("{}", str(tmp_path)) for word in words))
    assert from_recipe != parsed()


def test_flags_override(tmp_path: Path) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text(
        'weights = "a.gguf"\nname = "n"\nargs = "-c 1"\nlora = "l.gguf"\nmerge = true\n'
        'no-split = true\ngpu-sources = "no"\n'
        '[sampling]\ntemperature = 1\ntop_p = 0.9\n[card-fields]\nlicense = "mit"\ntitle = "T"\n'
    )
    file = tmp_path / "words"
    found = parsed(
        "b.gguf", "--recipe", str(recipe), "--name", "m", "--args-file", str(file), "--lora",
        "k.gguf", "--no-merge", "--split-size", "7", "--gpu-sources", "auto", "--sampling",
        "temperature=0", "--card-field", "license=apache-2.0",
    )  # fmt: skip
    assert (found["models"], found["name"], found["lora"]) == (["b.gguf"], "m", ["k.gguf"])
    assert (found["args"], found["args_file"]) == (None, file)
    assert (found["merge"], found["split_size"], found["gpu_sources"]) == (False, 7, "auto")
    assert found["sampling"] == {"temperature": 0, "top_p": 0.9}
    assert dict(found["card_field"]) == {"license": "apache-2.0", "title": "T"}


def test_tables_say_which_model_is_meant(tmp_path: Path) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text(
        'models = { a = "a.gguf", b = "b.gguf" }\nmmproj = { b = "auto" }\n'
        'draft = { b = "d.gguf" }\nlora = [{ file = "l.gguf", scale = 2, model = "b" }]\n'
    )
    found = parsed("--recipe", str(recipe))
    assert found["mmproj"] == ["b=auto"]
    assert found["draft"] == [f"b={tmp_path}/d.gguf"]
    assert found["lora"] == [f"b={tmp_path}/l.gguf:2"]
