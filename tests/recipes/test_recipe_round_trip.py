"""`pack --recipe` against flags, and `inspect --recipe` back to the same bytes."""

from __future__ import annotations

import json
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from helpers.stand_ins import CommandLine, Refused, write_gguf
from hypothesis import given, settings
from hypothesis import strategies as st

from packer.default_args import Lora, default_args
from packer.packed_args import divided, with_own
from packer.papers import sampling
from runtime.errors import InputError

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
    done = llamapack("pack", *words, "-o", output, "-q")
    assert done.returncode == 0, done.stderr
    return output.read_bytes()


def inspected(llamapack: CommandLine, path: Path, *, cwd: Path) -> str:
    done = llamapack("inspect", "--recipe", path, cwd=cwd)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


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
    with zipfile.ZipFile(bundle) as archive:
        manifest = json.loads(archive.read("llamapack.json"))
    with zipfile.ZipFile(bundle, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("llamapack.json", json.dumps({**manifest, "models": [{"name": "x"}]}))
    assert str(bundle) in refused(llamapack("inspect", "--recipe", bundle))


def test_only_of_bundles(gguf: Path, llamapack: CommandLine, refused: Refused) -> None:
    assert str(gguf) in refused(llamapack("inspect", "--recipe", gguf))
    with zipfile.ZipFile(gguf.with_name("x.zip"), "w") as archive:
        archive.write(gguf, gguf.name)
    line = refused(llamapack("inspect", "--recipe", gguf.with_name("x.zip")))
    assert "not made by llamapack" in line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "--new"),
        ("-c 256\n", "--new"),
        ("-c\n256\n--temp\n0\n", "-c\n256\n--temp\n0\n--new"),
        ("--top-k\n3\n-n 5\n", "--top-k\n3\n--new"),
        ("--top-k\n3\n--temp\n1\n", "--top-k\n3\n--new"),
        ("'", "--new"),
    ],
)
def test_new_words_leave_the_defaults(text: str, expected: str) -> None:
    assert with_own(text, "--new") == expected


MEMBERS = ["model.gguf", "mm.gguf", "a b.gguf", "chat_template.jinja"]
_SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0, 2) | st.integers(0, 2),
        "top_k": st.integers(0, 99),
        "stop": st.lists(
            st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), min_size=1
        ),
    },
)


@settings(deadline=None)
@given(
    weights=st.fixed_dictionaries(
        {
            "mmproj": st.sampled_from([None, "mm.gguf"]),
            "loras": st.lists(
                st.sampled_from([Lora("a b.gguf"), Lora("mm.gguf", "1.")]), max_size=2
            ),
            "template": st.booleans(),
        }
    ),
    context=st.none() | st.integers(0, 9999),
    defaults=_SETTINGS,
    own=st.text(" \n\t\r'\"\\#ab-$", max_size=12)
    | st.sampled_from(["-c 5\n", "--temp\n0\n", "-m\n"]),
)
def test_args_are_divided_as_they_were_joined(
    weights: dict[str, Any],
    context: int | None,
    defaults: dict[str, object],
    own: str,
) -> None:
    def joined(own: str, context: int | None, defaults: dict[str, object]) -> str:
        options = [] if context is None else [("-c", str(context))]
        return default_args(
            "model.gguf", own=own, defaults=[*options, *sampling.pairs(defaults)], **weights
        )

    try:
        text = joined(own, context, defaults)
    except InputError:
        return
    found = divided(text, MEMBERS)
    assert found.mmproj == weights["mmproj"]
    assert found.loras == [
        f"{one.member}:{one.scale}" if one.scale else one.member for one in weights["loras"]
    ]
    assert joined(found.own, found.context, found.sampling) == text
    if not own.strip():
        assert (found.context, found.sampling, found.own) == (context, defaults, "")
