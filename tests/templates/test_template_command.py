"""`llamapack template`, and what `pack` says about templates."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import zipfile
from pathlib import Path

import pytest
import yaml
from gguf import GGUFWriter
from helpers.cards import GEMMA_CARD
from helpers.conversations import CONVERSATIONS, model, system, user
from helpers.stand_ins import CommandLine, Refused, write_gguf

from packer.templates.origin import FOLDER, names

CHATML_TOKENS = ["<|im_start|>", "<|im_end|>"]


@pytest.fixture
def messages(tmp_path: Path) -> Path:
    path = tmp_path / "messages.json"
    path.write_text(json.dumps([system("Sei kurz, ü."), user("Hi")]))
    return path


def test_names(llamapack: CommandLine) -> None:
    assert llamapack("template", "list").stdout.split() == names()
    assert json.loads(llamapack("template", "list", "--json").stdout) == names()


def test_a_template_is_shown_as_it_is(llamapack: CommandLine) -> None:
    shown = llamapack("template", "show", "gemma")
    assert shown.stdout == (FOLDER / "gemma.jinja").read_text(encoding="utf-8")


def test_a_template_is_shown_with_its_tokens(llamapack: CommandLine) -> None:
    shown = json.loads(llamapack("template", "show", "gemma", "--json").stdout)
    assert shown == {
        "bos_token": "<bos>",
        "chat_template": (FOLDER / "gemma.jinja").read_text(encoding="utf-8"),
        "chat_template_for_tools": None,
        "eos_token": shown["eos_token"],
    }


def test_a_prompt(llamapack: CommandLine, messages: Path) -> None:
    expected = "<|im_start|>system\nSei kurz, ü.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
    words = ["template", "render", "chatml", "--messages", messages]
    assert llamapack(*words).stdout == expected + "<|im_start|>assistant\n"
    assert llamapack(*words, "--no-generation-prompt").stdout == expected
    shown = json.loads(llamapack(*words, "--json").stdout)
    assert shown == dict.fromkeys(shown, f"{expected}<|im_start|>assistant\n")
    assert set(shown) == {"prompt", "apply_template"}


def test_messages_out_of_a_pipe(llamapack: CommandLine, tmp_path: Path) -> None:
    """As shells make one of `<(…)`."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    words = json.dumps([user("Hi")])
    threading.Thread(target=pipe.write_text, args=[words], daemon=True).start()
    done = llamapack("template", "render", "chatml", "--messages", pipe)
    assert "Hi<|im_end|>" in done.stdout, done.stderr


def test_a_prompt_with_tools(llamapack: CommandLine, tmp_path: Path) -> None:
    asked = CONVERSATIONS["tool call"]
    request, tools = tmp_path / "request.json", tmp_path / "tools.json"
    request.write_text(json.dumps({"messages": asked.messages, "tools": asked.tools}))
    tools.write_text(json.dumps(asked.tools))
    inside = llamapack("template", "render", "qwen", "--messages", request).stdout
    assert '<tool_call>\n{"name": "get_weather", "arguments": {"place": "Zürich"' in inside
    request.write_text(json.dumps(asked.messages))
    words = ("template", "render", "qwen", "--messages", request, "--tools", tools)
    assert llamapack(*words).stdout == inside


def test_tokens_and_variables_of_one_s_own(llamapack: CommandLine, tmp_path: Path) -> None:
    jinja, messages = tmp_path / "t.jinja", tmp_path / "m.json"
    jinja.write_text("{{ bos_token }}|{{ eos_token }}|{{ colour }}|{{ messages[0].content }}")
    messages.write_text(json.dumps([user("Hi")]))
    words = ["template", "render", jinja, "--messages", messages]
    more = ["--bos-token", "<s>", "--eos-token", "</s>", "--chat-template-kwargs"]
    assert llamapack(*words, *more, '{"colour": "red"}').stdout == "<s>|</s>|red|Hi"
    assert llamapack(*words).stdout == "|||Hi"


REFUSED = {
    "nothing by that name": ["render", "nothing", "--messages", "m.json"],
    "no messages": ["render", "chatml", "--messages", "missing.json"],
    "no JSON": ["render", "chatml", "--messages", "broken.json"],
    "no list": ["render", "chatml", "--messages", "number.json"],
    "a message without role": ["render", "chatml", "--messages", "roleless.json"],
    "a picture": ["render", "chatml", "--messages", "picture.json"],
    "no variables": ["render", "chatml", "--messages", "m.json", "--chat-template-kwargs", "[]"],
    "a template that fails": ["render", "fails.jinja", "--messages", "m.json"],
    "a call without a name": ["render", "qwen", "--messages", "nameless.json"],
    "half of a character": ["render", "chatml", "--messages", "half.json"],
    "a file that is missing": ["check", "missing.gguf"],
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(llamapack: CommandLine, refused: Refused, tmp_path: Path, case: str) -> None:
    picture = {"type": "image_url", "image_url": {"url": "x"}}
    for name, value in {
        "m.json": [user("Hi")],
        "number.json": 5,
        "roleless.json": [{"content": "Hi"}],
        "picture.json": [user([picture])],
        "half.json": [user("\ud83d")],
        "nameless.json": [user("Hi"), model("", tool_calls=[{"function": {}}]), user("Hi")],
    }.items():
        (tmp_path / name).write_text(json.dumps(value))
    (tmp_path / "broken.json").write_text("[{")
    (tmp_path / "fails.jinja").write_text("{{ raise_exception('no such role') }}")
    refused(llamapack("template", *REFUSED[case], cwd=tmp_path))


def test_without_an_action(llamapack: CommandLine) -> None:
    assert llamapack("template").returncode == 2


def checked(llamapack: CommandLine, file: str | Path) -> list[str]:
    """What `template check` finds, in both of its forms."""
    plain, as_json = (llamapack("template", "check", file, *more) for more in ([], ["--json"]))
    found: list[str] = json.loads(as_json.stdout)["problems"]
    assert plain.returncode == as_json.returncode == (1 if found else 0)
    if found:
        assert plain.stdout.splitlines() == [f"{file}: {problem}" for problem in found]
    return found


def with_vocabulary(path: Path, template: str, tokens: list[str]) -> Path:
    writer = GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([*tokens, *(f"word{n}" for n in range(100))])
    writer.add_chat_template(template)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


QWEN = (FOLDER / "qwen.jinja").read_text(encoding="utf-8")

PROBLEMS = {
    "nothing": (QWEN, CHATML_TOKENS, []),
    "no Jinja": ("{% for %}", [], ["its chat template fails: "]),
    "refuses all": ("{{ raise_exception('no') }}", [], ["its chat template fails: line 1: no"]),
    "drops the question": ("constant", [], ["its chat template drops what the user says"]),
    "drops the system prompt": (
        "{% for m in messages %}{% set text = m.content %}{% if m.role != 'system' %}"
        "{{ text ~ m.tool_calls }}{% endif %}{% endfor %}{{ tools }}",
        [],
        ["its chat template drops the system prompt"],
    ),
    "loses tools": (
        (FOLDER / "chatml.jinja").read_text(encoding="utf-8"),
        CHATML_TOKENS,
        ["its chat template drops tools, their calls or results"],
    ),
    "loses the arguments of calls": (
        QWEN.replace("call['function']['arguments'] | tojson", "'{}'"),
        CHATML_TOKENS,
        ["its chat template drops tools, their calls or results"],
    ),
    "tokens that are not there": (
        QWEN,
        CHATML_TOKENS[:1],
        ["its chat template uses <|im_end|>, which its vocabulary does not have"],
    ),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_problems(llamapack: CommandLine, tmp_path: Path, case: str) -> None:
    template, tokens, expected = PROBLEMS[case]
    gguf, bundle = with_vocabulary(tmp_path / "m.gguf", template, tokens), tmp_path / "m.llamafile"
    found = checked(llamapack, gguf)
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.write(gguf, "m.gguf")
    assert checked(llamapack, bundle) == found
    assert [one[: len(start)] for one, start in zip(found, expected, strict=False)] == expected
    if case not in ("drops the question",):
        assert len(found) == len(expected), found


def test_without_an_engine_only_the_syntax_is_checked(
    llamapack: CommandLine, refused: Refused, tmp_path: Path, messages: Path
) -> None:
    none = {"LLAMAPACK_BUILD_CACHE": str(tmp_path / "a"), "LLAMAPACK_CACHE": str(tmp_path / "b")}
    (tmp_path / "drops.jinja").write_text("constant")
    (tmp_path / "broken.jinja").write_text("{% for %}")
    done = llamapack.process("template", "check", tmp_path / "drops.jinja", **none)
    assert done.returncode == 0
    assert done.stderr.startswith("no engine runs here, so only the syntax")
    done = llamapack.process("template", "check", tmp_path / "broken.jinja", **none)
    assert done.returncode == 1
    assert "its chat template fails: line 1: " in done.stdout
    done = llamapack.process("template", "render", "chatml", "--messages", messages, **none)
    assert "only an engine fills in templates" in refused(done)
    assert "`llamapack engine fetch`" in done.stderr


def test_a_model_without_template_has_a_problem(llamapack: CommandLine, tmp_path: Path) -> None:
    (problem,) = checked(llamapack, write_gguf(tmp_path / "base.gguf", template=None))
    assert problem.startswith("it has no chat template")


@pytest.mark.parametrize("name", names())
def test_our_templates_have_no_other_problem_than_tools(name: str, llamapack: CommandLine) -> None:
    expected = [] if name in ("qwen", "mistral") else ["tools"]
    assert [problem.split()[4].rstrip(",") for problem in checked(llamapack, name)] == expected


def warnings(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("WARNING")]


def test_pack_warns_of_a_model_without_template(llamapack: CommandLine, tmp_path: Path) -> None:
    base, output = write_gguf(tmp_path / "base.gguf", template=None), tmp_path / "out.llamafile"
    (line,) = warnings(llamapack("pack", base, "-o", output))
    assert line.startswith(f"WARNING {base}: it has no chat template")
    assert output.exists()
    assert not warnings(llamapack("pack", base, "-o", output, "--force", "-q"))


def test_pack_warns_of_a_template_that_does_not_fit(
    llamapack: CommandLine, tmp_path: Path, gguf: Path
) -> None:
    words = ("pack", gguf, "-o", tmp_path / "out.llamafile", "--chat-template", "chatml")
    tools, tokens = warnings(llamapack(*words))
    assert "drops tools" in tools
    assert "uses <|im_start|>, <|im_end|>, which its vocabulary does not have" in tokens


def test_pack_has_nothing_to_say_of_a_good_template(llamapack: CommandLine, tmp_path: Path) -> None:
    good = "{{ tools | tojson if tools else '' }}{% for m in messages %}{{ m.role }}{{ m.content }}"
    good += "{{ m.tool_calls | tojson if m.tool_calls else '' }}{% endfor %}"
    model = write_gguf(tmp_path / "good.gguf", template=good)
    assert not warnings(llamapack("pack", model, "-o", tmp_path / "out.llamafile"))


def test_an_old_card_is_all_that_a_model_without_template_needs(
    llamapack: CommandLine, tmp_path: Path
) -> None:
    gguf = write_gguf(tmp_path / "old.gguf", template=None)
    (tmp_path / "README.md").write_text(GEMMA_CARD)
    (tmp_path / "m.json").write_text('[{"role": "user", "content": "Hi"}]')
    done = llamapack("pack", gguf, "--card", tmp_path / "README.md", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    bundle = tmp_path / "old.llamafile"
    done = llamapack("template", "render", bundle, "--messages", tmp_path / "m.json")
    assert done.stdout == "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n"
    stated = yaml.safe_load(GEMMA_CARD.split("---\n")[1])
    found = yaml.safe_load(llamapack("card", bundle).stdout.split("---\n")[1])
    assert found.pop("tags") == ["llamafile", "gguf", "conversational"]
    assert {*stated.pop("tags")} == {"llamafile", "conversational"}
    assert found.items() >= stated.items()
