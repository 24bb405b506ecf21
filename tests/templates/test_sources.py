"""Chat templates in the files that people have them in."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from gguf import GGUFWriter
from helpers.conversations import CONVERSATIONS, prompt_of, user
from helpers.stand_ins import CommandLine, write_gguf

from packer.templates.origin import any_template, chat_template, load
from packer.templates.template import ChatTemplate, Conversation
from runtime.errors import InputError
from runtime.formats.bundle import Bundle

PLAIN, FOR_TOOLS = "plain {{ messages[0].content }}\n", "\n  tools {{ messages[0].content }}  \n"
ASKED = Conversation([user("Hi")])
NAMED = [{"name": "default", "template": PLAIN}, {"name": "tool_use", "template": FOR_TOOLS}]


def config(path: Path, template: object, **more: Any) -> Path:
    path.write_text(json.dumps({"chat_template": template, **more}))
    return path


@pytest.mark.parametrize(
    "template", [NAMED, {one["name"]: one["template"] for one in NAMED}], ids=["list", "object"]
)
def test_named_templates_of_a_tokenizer_config(tmp_path: Path, template: object) -> None:
    more = {"bos_token": {"content": "<s>", "lstrip": False}, "eos_token": "</s>"}
    path = config(tmp_path / "tokenizer_config.json", template, **more)
    found = chat_template(str(path))
    assert found == ChatTemplate(PLAIN, FOR_TOOLS, bos="<s>", eos="</s>")
    packed = ChatTemplate(load(str(path)).decode())
    for conversation in (ASKED, CONVERSATIONS["tools"]):
        assert prompt_of(packed, conversation) == prompt_of(found, conversation)


def test_only_a_template_for_tools(tmp_path: Path) -> None:
    path = config(tmp_path / "tokenizer_config.json", NAMED[1:])
    assert prompt_of(chat_template(str(path)), ASKED) == "\n  tools Hi  "


def test_half_of_a_character(tmp_path: Path) -> None:
    path = config(tmp_path / "tokenizer_config.json", PLAIN, bos_token="\ud800")
    with pytest.raises(InputError, match=r"tokenizer_config\.json is not a JSON object"):
        chat_template(str(path))


def test_a_processor_s_template(tmp_path: Path) -> None:
    assert chat_template(str(config(tmp_path / "chat_template.json", PLAIN))).text == PLAIN


def test_a_folder_as_transformers_saves_it(tmp_path: Path) -> None:
    config(tmp_path / "tokenizer_config.json", None, bos_token="<s>", eos_token=None)
    (tmp_path / "chat_template.jinja").write_text(PLAIN)
    (tmp_path / "additional_chat_templates").mkdir()
    (tmp_path / "additional_chat_templates" / "tool_use.jinja").write_text(FOR_TOOLS)
    expected = ChatTemplate(PLAIN, FOR_TOOLS, bos="<s>")
    assert chat_template(str(tmp_path)) == expected
    assert chat_template(str(tmp_path / "tokenizer_config.json")) == expected


def test_what_transformers_saves(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>", eos_token="</s>")
    tokenizer.chat_template = {"default": PLAIN, "tool_use": FOR_TOOLS}
    tokenizer.save_pretrained(tmp_path)
    found = chat_template(str(tmp_path))
    assert (found.text, found.tool_use) == (PLAIN, FOR_TOOLS)
    assert (found.bos, found.eos) == ("<s>", "</s>")


def gguf_with(path: Path, *, add_bos: bool) -> Path:
    """A vocabulary of Gemma's kind, and templates for turns and for tools."""
    writer = GGUFWriter(path, "gemma2")
    writer.add_tokenizer_model("llama")
    writer.add_token_list(["<pad>", "<eos>", "<bos>", *(f"word{n}" for n in range(300))])
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(1)
    writer.add_add_bos_token(add_bos)
    writer.add_chat_template([{"name": "tool_use", "template": FOR_TOOLS}])
    writer.add_chat_template("{{ bos_token }}" + PLAIN)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("add_bos", [True, False])
def test_a_gguf(tmp_path: Path, add_bos: bool) -> None:
    found = chat_template(str(gguf_with(tmp_path / "m.gguf", add_bos=add_bos)))
    assert (found.bos, found.eos, found.tool_use) == ("<bos>", "<eos>", FOR_TOOLS)
    assert prompt_of(found, ASKED) == "<bos>plain Hi"
    assert found.applied(prompt_of(found, ASKED)) == ("plain Hi" if add_bos else "<bos>plain Hi")
    assert found.vocabulary
    assert found.vocabulary.missing(["<bos>", "word299", "word300"]) == ["word300"]


def test_a_model_without_template(tmp_path: Path) -> None:
    path = str(write_gguf(tmp_path / "base.gguf", template=None))
    assert any_template(path).text == ""
    with pytest.raises(InputError, match="has no chat template"):
        chat_template(path)


def test_a_bundle(bundle: Path, tmp_path: Path, gguf: Path, llamapack: CommandLine) -> None:
    assert chat_template(str(bundle)).text == "{{ messages }}"
    own = tmp_path / "own.llamafile"
    packed = llamapack("pack", gguf, "-o", own, "--chat-template", "zephyr")
    assert packed.returncode == 0, packed.stderr
    found = chat_template(str(own))
    assert found.text == load("zephyr").decode()
    assert found.vocabulary


def test_templates_out_of_other_files_are_packed(
    tmp_path: Path, gguf: Path, bundle: Path, llamapack: CommandLine
) -> None:
    sources = [config(tmp_path / "tokenizer_config.json", PLAIN), bundle, gguf]
    for source, expected in zip(sources, [PLAIN, "{{ messages }}", "{{ messages }}"], strict=True):
        output = tmp_path / "out.llamafile"
        words = ("pack", gguf, "-o", output, "--force", "-q", "--chat-template", source)
        done: subprocess.CompletedProcess[str] = llamapack(*words)
        assert done.returncode == 0, done.stderr
        with Bundle.open(output) as packed:
            assert packed.read("chat_template.jinja").decode() == expected


BROKEN = {
    "no JSON": ("tokenizer_config.json", b"{"),
    "no object": ("tokenizer_config.json", b"[]"),
    "no template": ("tokenizer_config.json", b'{"chat_template": 5}'),
    "names without templates": ("tokenizer_config.json", b'{"chat_template": [{"name": "a"}, 1]}'),
    "deep JSON": ("tokenizer_config.json", b"[" * 100_000),
    "no text": ("t.jinja", b"\xff\xfe"),
    "an empty file": ("t.jinja", b" \n"),
    "no Jinja": ("t.jinja", b"{% for %}"),
    "a card with broken YAML": ("card.md", b"---\nprompt_template: [\n---\n"),
    "a card without the fields": ("card.md", b"# A model\n"),
    "half a GGUF": ("m.gguf", b"GGUF\3\0\0\0"),
    "half a bundle": ("m.llamafile", b"MZqFpD='\n"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_holds_no_template(tmp_path: Path, case: str) -> None:
    name, data = BROKEN[case]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError, match=name.replace(".", r"\.")) as raised:
        load(str(path))
    assert raised.value.tip


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds neither"):
        load(str(tmp_path))
