"""`pack --recipe` against flags, and `inspect --recipe` back to the same bytes."""

from __future__ import annotations

import json
import shutil
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from helpers.repository import REPOSITORY
from helpers.stand_ins import CommandLine, Refused, write_gguf

CARD = """---
license: gemma
base_model: org/base
tags: [a, b]
inference:
  parameters:
    temperature: 0.6
    stop: ["\\n\\n", '\\']
---
# A model
"""


def packed(llamapack: CommandLine, *words: str | Path, output: Path) -> bytes:
    llamapack.ran("pack", *words, "-o", output, "-q")
    return output.read_bytes()


def inspected(llamapack: CommandLine, path: Path, *, cwd: Path) -> str:
    done = llamapack.ran("inspect", "--recipe", path, cwd=cwd)
    assert not done.stderr
    return done.stdout


def manifest_of(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        manifest: dict[str, Any] = json.loads(archive.read("llamapack.json"))
    return manifest


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A folder with everything that a bundle can be made of."""
    folder = tmp_path / "inputs"
    folder.mkdir()
    write_gguf(folder / "model.gguf")
    for name, kind in (
        ("mm", "mmproj"),
        ("one", "adapter"),
        ("two", "adapter"),
        ("small", "model"),
        ("tiny", "model"),
    ):
        write_gguf(folder / f"{name}.gguf", kind=kind)
    (folder / "LICENSE").write_text("All rights reserved.\n")
    (folder / "words.gbnf").write_text('root ::= "yes"\n')
    (folder / "README.md").write_text(CARD)
    (folder / "t.jinja").write_text("{{ messages }}\r\n")
    return folder


RECIPE = r"""
weights = "model.gguf"
name = "everything"
mmproj = "mm.gguf"
lora = ["one.gguf", { file = "two.gguf", scale = 0.5 }]
draft = "small.gguf"
chat-template = "t.jinja"
ctx-size = 512
args = "\n--seed 1 # as in the paper\r\n"
add = "words.gbnf"
card = "README.md"
license = "LICENSE"
targets = ["linux-x86_64"]
gpu = "none"
sampling = { temperature = 0, top_k = 3 }

[card-fields]
quantized_by = "me"
tags = []
sections = [{ title = "Testing", text = "None.\n" }]
"""


def test_recipe_and_flags_give_the_same_bytes(
    inputs: Path, llamapack: CommandLine, tmp_path: Path
) -> None:
    (inputs / "r.toml").write_text(RECIPE)
    from_recipe = packed(llamapack, "--recipe", inputs / "r.toml", output=tmp_path / "r.llamafile")
    from_flags = packed(
        llamapack, inputs / "model.gguf", "--name", "everything", "--mmproj", inputs / "mm.gguf",
        "--lora", inputs / "one.gguf", "--lora", f"{inputs / 'two.gguf'}:0.5",
        "--draft", inputs / "small.gguf", "--chat-template", inputs / "t.jinja",
        "--ctx-size", "512", "--args", "\n--seed 1 # as in the paper\r\n",
        "--add", inputs / "words.gbnf", "--card", inputs / "README.md",
        "--license", inputs / "LICENSE", "--targets", "linux-x86_64", "--gpu", "none",
        "--sampling", "none", "--sampling", "temperature=0", "--sampling", "top_k=3",
        "--card-field", "quantized_by=me", "--card-field", "tags=[]",
        "--card-field", 'sections=[{title: Testing, text: "None.\\n"}]',
        output=tmp_path / "f.llamafile",
    )  # fmt: skip
    assert from_recipe == from_flags
    text = inspected(llamapack, Path("r.llamafile"), cwd=tmp_path)
    (tmp_path / "again.toml").write_bytes(text.encode())
    again = packed(llamapack, "--recipe", tmp_path / "again.toml", output=tmp_path / "a.llamafile")
    assert again == from_recipe
    assert str(tmp_path) not in json.dumps(manifest_of(tmp_path / "r.llamafile"))
    assert tomllib.loads(text) == {
        "name": "everything",
        "weights": ["r.llamafile:model.gguf"],
        "mmproj": "r.llamafile:mm.gguf",
        "lora": ["r.llamafile:one.gguf", "r.llamafile:two.gguf:0.5"],
        "draft": "r.llamafile:small.gguf",
        "chat-template": "r.llamafile:chat_template.jinja",
        "ctx-size": 512,
        "args": "\n--seed 1 # as in the paper\r\n",
        "add": ["r.llamafile:words.gbnf"],
        "card": "r.llamafile:card/BASE.md",
        "license": ["r.llamafile:licenses/model/LICENSE"],
        "targets": ["linux-x86_64"],
        "gpu": "none",
        "gpu-sources": "no",
        "sampling": {"temperature": 0, "top_k": 3},
        "card-fields": {
            "quantized_by": "me",
            "tags": "",
            "sections": [{"title": "Testing", "text": "None.\n"}],
        },
    }


def test_several_models(inputs: Path, llamapack: CommandLine, tmp_path: Path) -> None:
    (inputs / "r.toml").write_text("""
        models = { first = "model.gguf", second = "small.gguf" }
        model-args = { second = "-c 64 --no-warmup" }
        mmproj = { second = "mm.gguf" }
        lora = [{ file = "two.gguf", scale = 0.5, model = "second" }]
        draft = { first = "tiny.gguf" }
        targets = "linux-x86_64"
        gpu = "none"
    """)
    from_recipe = packed(llamapack, "--recipe", inputs / "r.toml", output=tmp_path / "r.llamafile")
    from_flags = packed(
        llamapack, "--model", f"first={inputs / 'model.gguf'}",
        "--model", f"second={inputs / 'small.gguf'}", "--model-args", "second=-c 64 --no-warmup",
        "--mmproj", f"second={inputs / 'mm.gguf'}", "--lora", f"second={inputs / 'two.gguf'}:0.5",
        "--draft", f"first={inputs / 'tiny.gguf'}", "--targets", "linux-x86_64", "--gpu", "none",
        output=tmp_path / "f.llamafile",
    )  # fmt: skip
    assert from_recipe == from_flags
    text = inspected(llamapack, Path("r.llamafile"), cwd=tmp_path)
    (tmp_path / "again.toml").write_text(text)
    again = packed(llamapack, "--recipe", tmp_path / "again.toml", output=tmp_path / "a.llamafile")
    assert again == from_recipe
    stated = tomllib.loads(text)
    assert list(stated["models"]) == ["first", "second"]
    assert "weights" not in stated
    assert not text.startswith("#")


def test_inspect_edit_pack(inputs: Path, llamapack: CommandLine, tmp_path: Path) -> None:
    old, new = tmp_path / "old.llamafile", tmp_path / "new.llamafile"
    card = ("--card", inputs / "README.md")
    packed(llamapack, inputs / "model.gguf", *card, output=old)
    text = inspected(llamapack, old, cwd=tmp_path)
    (tmp_path / "r.toml").write_text(text.replace("temperature = 0.6", "temperature = 0.9"))
    expected = packed(
        llamapack, inputs / "model.gguf", *card, "--sampling", "temperature=0.9",
        output=tmp_path / "expected.llamafile",
    )  # fmt: skip
    assert packed(llamapack, "--recipe", tmp_path / "r.toml", output=new) == expected
    with zipfile.ZipFile(new) as archive:
        assert b"--temp\n0.9\n" in archive.read(".args")


def test_what_a_recipe_cannot_say_is_named(
    bundle: Path, llamapack: CommandLine, tmp_path: Path
) -> None:
    with zipfile.ZipFile(bundle, "a") as archive:
        archive.writestr("docs/x.txt", "x")
    text = inspected(llamapack, bundle, cwd=tmp_path)
    assert text.startswith("# not in this recipe: docs/x.txt\n")
    assert "add" not in tomllib.loads(text)


def test_a_manifest_of_another_shape(
    bundle: Path, llamapack: CommandLine, refused: Refused
) -> None:
    manifest = manifest_of(bundle)
    with zipfile.ZipFile(bundle, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("llamapack.json", json.dumps({**manifest, "models": [{"name": "x"}]}))
    assert str(bundle) in refused(llamapack("inspect", "--recipe", bundle))


def test_only_of_bundles(gguf: Path, llamapack: CommandLine, refused: Refused) -> None:
    assert str(gguf) in refused(llamapack("inspect", "--recipe", gguf))
    with zipfile.ZipFile(gguf.with_name("x.zip"), "w") as archive:
        archive.write(gguf, gguf.name)
    line = refused(llamapack("inspect", "--recipe", gguf.with_name("x.zip")))
    assert "not made by llamapack" in line


def test_an_edit_keeps_it_up_to_date(inputs: Path, llamapack: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "r.llamafile"
    packed(
        llamapack, inputs / "model.gguf", "--mmproj", inputs / "mm.gguf", "--ctx-size", "64",
        "--lora", inputs / "one.gguf", "--args", "--temp 0", "--sampling", "top_k=3", output=path,
    )  # fmt: skip
    words = ("--remove", "mm.gguf", "--add", inputs / "two.gguf", "--args=-c\n7")
    llamapack.ran("edit", path, *words)
    recipe = {"args": "\n-c\n7\n", "ctx-size": 64, "sampling": {"top_k": 3}}
    recipe["lora"] = ["one.gguf", "two.gguf"]
    assert manifest_of(path)["recipe"] == recipe
    llamapack.ran("upgrade", path)
    assert manifest_of(path)["recipe"] == recipe


def test_an_edit_of_several_models(inputs: Path, llamapack: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "r.llamafile"
    packed(
        llamapack, "--model", f"a={inputs / 'model.gguf'}", "--model", f"b={inputs / 'small.gguf'}",
        "--mmproj", f"b={inputs / 'mm.gguf'}", "--lora", f"b={inputs / 'two.gguf'}:0.50",
        "--lora", inputs / "one.gguf", "--model-args", "b=-c 64", output=path,
    )  # fmt: skip
    llamapack.ran("edit", path, "--remove", "two.gguf")
    recipe = manifest_of(path)["recipe"]
    assert recipe["lora"] == [{"file": "one.gguf", "model": "a"}]
    assert recipe["mmproj"] == {"b": "mm.gguf"}
    llamapack.ran("edit", path, "--remove", "small.gguf", "mm.gguf")
    assert manifest_of(path)["recipe"] == {"lora": [{"file": "one.gguf", "model": "a"}]}
    text = inspected(llamapack, Path(path.name), cwd=tmp_path)
    (tmp_path / "again.toml").write_text(text)
    again = packed(llamapack, "--recipe", tmp_path / "again.toml", output=tmp_path / "a.llamafile")
    assert again == path.read_bytes()


def test_arguments_that_another_program_put_in(
    inputs: Path, llamapack: CommandLine, tmp_path: Path
) -> None:
    path = tmp_path / "r.llamafile"
    packed(llamapack, inputs / "model.gguf", "--args", "--temp 0", output=path)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(".args", "-m\nmodel.gguf\n--lora\none.gguf\n-c 7\n")
    assert tomllib.loads(inspected(llamapack, path, cwd=tmp_path))["args"] == (
        "--lora\none.gguf\n-c 7\n"
    )


def test_of_an_earlier_bundle(llamapack: CommandLine, tmp_path: Path) -> None:
    path = shutil.copy(REPOSITORY / "tests" / "data" / "earlier.bundle", tmp_path / "e.llamafile")
    stated = tomllib.loads(inspected(llamapack, Path("e.llamafile"), cwd=tmp_path))
    assert "recipe" not in manifest_of(path)
    assert (stated["weights"], stated["args"]) == (["e.llamafile:tiny.gguf"], "-c 512\n")
