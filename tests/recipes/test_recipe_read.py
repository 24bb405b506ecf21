"""What a recipe can say, against the command line of `pack`; and what is wrong with others."""

from __future__ import annotations

import argparse
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from helpers.stand_ins import CommandLine, Refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packer import commands
from packer.metadata import sampling
from packer.recipes.fields import FIELDS, OF_THE_RUN
from packer.recipes.read import completed, file_of, outside, read
from runtime.errors import InputError


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


def test_files_outside_the_folder_are_named(tmp_path: Path) -> None:
    """Such as the user's own, in a stranger's recipe."""
    folder, recipe = tmp_path / "r", tmp_path / "r" / "r.toml"
    folder.mkdir()
    (folder / "link").symlink_to("/etc")
    recipe.write_text(
        'add = ["/etc/hostname", "link:etc", "in:x", "a/../b"]\nlicense = "../LICENSE"\n'
        'chat-template = "chatml"\nargs = "/etc/passwd"\nmmproj = "hf:a/b"\n'
        'lora = [{ file = "../l.gguf", scale = 0.5 }, "../k.gguf:2"]\n[models]\na = "/m.gguf"\n'
    )
    found = {"/etc/hostname", "link:etc", "../LICENSE", "../l.gguf", "../k.gguf:2", "/m.gguf"}
    assert set(outside(recipe)) == found


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


@pytest.mark.parametrize(
    ("text", "message", "tip"),
    [
        ('name = "n"\nweight = "x"', "line 2: a recipe has no key `weight`", "`weights`"),
        ("chat_template = 1", "line 1: a recipe has no key `chat_template`", "`chat-template`"),
        ("\n\nname = 5", "line 3: `name` must be a text", ""),
        ('merge = "yes"', "`merge` must be true or false", ""),
        ("ctx-size = true", "`ctx-size` must be a whole number", ""),
        ("ctx-size = -1", "`ctx-size` must be a whole number from 0 on", ""),
        ('format = "zip"', "`format` must be one of ape, elf, exe, macho", ""),
        ("targets = [1]", "`targets` must be texts", ""),
        ('weights = ""', "`weights` must be the name of a file", ""),
        ('lora = [{ scale = 1 }]', "`lora` must be adapters", ""),
        ('split-size = "big"', "`split-size` must be a size", ""),
        ("no-split = false", "`no-split` must be true", ""),
        ('split-size = "1GB"\nno-split = true', "line 2: `no-split` and `split-size` exclude", ""),
        ('args = ""\nargs-file = "x"', "line 2: `args-file` and `args` exclude", ""),
        ('\n[sampling]\nheat = 1', "line 2: there is no sampling default 'heat'", "temperature"),
        ('[sampling]\ntop_k = 0.5', "sampling default top_k is 0.5, not a whole number", ""),
        ('[card-fields]\nlicence = "mit"', "line 1: a card has no field 'licence'", "license"),
        ('[card-fields]\ntags = "a"', "card field tags is 'a', not a list of texts", ""),
        ('[[card-fields.sections]]\ntitle = "T"', "card field sections is", ""),
        ('weights = "a\\u0000b"', "`weights` must be a text without NUL", ""),
        ("[card-fields]\nwidget = 2024-01-01", "card field widget is", ""),
        ("[card-fields]\ninference = { a = [nan] }", "card field inference is", ""),
        ("name = = 1", "line 1", "TOML"),
    ],
)  # fmt: skip
def test_mistakes(text: str, message: str, tip: str, tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(InputError) as problem:
        read(path)
    assert str(path) in problem.value.message
    assert message in problem.value.message
    assert tip in problem.value.tip


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_bytes(b'name = "\xff"')
    with pytest.raises(InputError, match="not UTF-8"):
        read(path)


_VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(st.sampled_from([field.key for field in FIELDS]), _VALUES, max_size=3))
def test_any_values_are_read_or_refused(tmp_path: Path, document: dict[str, object]) -> None:
    path = tmp_path / "r.toml"
    path.write_text(tomli_w.dumps(document), encoding="utf-8")
    with suppress(InputError):  # and nothing else
        assert len(read(path)) == len(document)
        outside(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text())
def test_any_text_is_read_or_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with suppress(InputError):  # and nothing else
        read(path)


def test_unknown_names() -> None:
    with pytest.raises(InputError) as problem:
        file_of("nowhere.toml")
    assert "demo" in problem.value.tip


def test_command(llamapack: CommandLine, tmp_path: Path, refused: Refused) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text('name = "n"\n')
    assert "names no weights" in refused(llamapack("pack", "--recipe", recipe, cwd=tmp_path))
    recipe.write_text('weights = "none.gguf"\n')
    line = refused(llamapack("pack", "--recipe", recipe, cwd=tmp_path))
    assert f"{tmp_path / 'none.gguf'} does not exist" in line
    assert llamapack("pack", cwd=tmp_path).returncode == 2
    assert sorted(path.name for path in tmp_path.glob("*")) == ["llamapack-under-test", "r.toml"]
