"""Chat templates: the prompts that `template render` shows against the server's `/apply-template`,
and templates that hang, fill memory or nest without end, of which the engine says so, soon."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError

import pytest
from helpers.cards import GEMMA_CARD
from helpers.conversations import ADAPTED, CALLS, CONVERSATIONS, ours, published, user, without_head
from helpers.repository import DEMO
from helpers.running import Server, fetched, pack, run, serving

from packer.templates.legacy import LegacyTemplates, to_jinja
from packer.templates.origin import FOLDER
from packer.templates.template import Conversation

TEMPLATES = {name: FOLDER / f"{name}.jinja" for name in ("chatml", "gemma", "llama2", "mistral")}


def applied(server: Server, conversation: Conversation) -> str | None:
    """The engine's prompt; None if it refuses the conversation."""
    body = {
        "messages": list(conversation.messages),
        "add_generation_prompt": conversation.add_generation_prompt,
        "tools": list(conversation.tools),
        "chat_template_kwargs": dict(conversation.chat_template_kwargs),
    }
    try:
        return str(fetched(f"{server.url}/apply-template", body)["prompt"])
    except HTTPError:
        return None


FAMILIES = (
    "LFM2-8B-A1B",
    "deepseek-ai-DeepSeek-V4",
    "google-gemma-4-31B-it",
    "google-gemma-4-31B-it-interleaved",
    "mistralai-Ministral-3-14B-Reasoning-2512",
    "openai-gpt-oss-120b",
)
"""Those whose messages the engine changes."""


@pytest.mark.parametrize("name", [*TEMPLATES, *FAMILIES])
def test_prompts_are_those_of_the_engine(demo_bundle: Path, name: str) -> None:
    path = TEMPLATES[name] if name in TEMPLATES else published()[name]
    text = path.read_text(encoding="utf-8")
    asked = [*(CALLS if name in FAMILIES else CONVERSATIONS).values(), *ADAPTED.values()]
    if name in TEMPLATES:
        asked += [without_head(one) for one in asked]
    with serving(demo_bundle, "--chat-template-file", str(path), "-c", "256") as server:
        assert ours(text, asked) == [applied(server, one) for one in asked]


def test_variables_of_a_request(demo_bundle: Path) -> None:
    path = published()["Qwen-Qwen3-0.6B"]
    text = path.read_text(encoding="utf-8")
    asked = CONVERSATIONS["one question"]
    with serving(demo_bundle, "--chat-template-file", str(path), "-c", "256") as server:
        for thinking in (True, False):
            one = Conversation(asked.messages, chat_template_kwargs={"enable_thinking": thinking})
            assert ours(text, [one]) == [applied(server, one)]


def test_going_on_with_an_answer(demo_bundle: Path) -> None:
    text = (FOLDER / "chatml.jinja").read_text(encoding="utf-8")
    turns = CONVERSATIONS["turns"].messages
    begun = Conversation(turns[:2], add_generation_prompt=False)
    with serving(demo_bundle, "--chat-template-file", str(FOLDER / "chatml.jinja")) as server:
        prompt = applied(server, begun)
    assert [prompt] == ours(text, [begun])
    assert prompt is not None
    assert prompt.endswith("<|im_start|>assistant\nHello!")


def test_an_old_card_makes_a_bundle_that_needs_no_template(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text(GEMMA_CARD)
    words = (DEMO, "--targets", "linux-x86_64", "--chat-template", card)
    bundle = pack(*words, output=tmp_path / "old.llamafile")
    with serving(bundle) as server:
        assert applied(server, Conversation([user("Hi")])) == (
            "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n"
        )
        prompt = applied(server, CONVERSATIONS["system"])
    assert prompt == (
        "<start_of_turn>system\nBe brief.<end_of_turn>\n<start_of_turn>user\nHi<end_of_turn>\n"
        "<start_of_turn>model\nHello!<end_of_turn>\n<start_of_turn>user\nBye<end_of_turn>\n"
        "<start_of_turn>model\n"
    )


def test_whatever_an_old_card_holds_is_text_to_the_engine(
    demo_bundle: Path, tmp_path: Path
) -> None:
    odd = "{% if %} %} }} {# 'x' \"y\" \\n\\ \t ü "
    fields = LegacyTemplates(
        f"{odd}{{{{prompt}}}}{{{{history}}}}\n[{{{{char}}}}]", f"[{{{{name}}}}]{odd}{{{{message}}}}"
    )
    path = tmp_path / "odd.jinja"
    path.write_text(to_jinja(fields, "card"), encoding="utf-8")
    with serving(demo_bundle, "--chat-template-file", str(path)) as server:
        prompt = applied(server, CONVERSATIONS["system"])
    assert prompt == (
        f"{odd}Be brief.[user]{odd}Hi\n[assistant]{odd}Hello!\n[user]{odd}Bye\n[assistant]"
    )


SERVE = ("--server", "--nobrowser", "--port", "0")
DEEP = {
    "parentheses": "{{ " + "(" * 100000 + "1" + ")" * 100000 + " }}",
    "lists": "{{ " + "[" * 100000 + "]" * 100000 + " }}",
    "mappings": "{{ " + "{'a':" * 100000 + "1" + "}" * 100000 + " }}",
    "calls": "{{ " + "f(a=" * 100000 + "1" + ")" * 100000 + " }}",
    "if": "{% if true %}" * 50000 + "{% endif %}" * 50000,
    "elif": "{% if a %}" + "{% elif b %}" * 50000 + "{% endif %}",
    "for": "{% for i in [1] %}" * 50000 + "{% endfor %}" * 50000,
    "set": "{% set a %}" * 50000 + "{% endset %}" * 50000,
    "not": "{{ " + "not " * 200000 + "1 }}",
    "minus": "{{ " + "-" * 200000 + "1 }}",
    "members": "{{ a" + ".b" * 200000 + " }}",
    "elements": "{{ a" + "[0]" * 200000 + " }}",
    "filters": "{{ 'a'" + " | trim" * 200000 + " }}",
    "tests": "{{ 1" + " is number" * 100000 + " }}",
    "sums": "{{ 1" + "+1" * 200000 + " }}",
    "and": "{{ a" + " and b" * 200000 + " }}",
    "else": "{{ 1" + " if a else 2" * 100000 + " }}",
}
COSTLY = {
    "loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "a long range": "{% for i in range(1000000000) %}{% endfor %}",
    "doubled": "{% set n = namespace(s='0123456789') %}{% for i in range(40) %}"
    "{% set n.s = n.s ~ n.s %}{% endfor %}{{ n.s }}",
    "replaced": "{% set n = namespace(s='a') %}{% for i in range(12) %}{% set n.s = n.s ~ n.s %}"
    "{% endfor %}{{ n.s | replace('a', n.s) | replace('a', n.s) }}",
    "a macro in itself": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "macros in each other": "{% macro a(x) %}{{ b(x) }}{% endmacro %}{% macro b(x) %}{{ a(x) }}"
    "{% endmacro %}{{ a(1) }}",
}


def with_template(folder: Path, text: str) -> Path:
    """The demo model with this template in its header."""
    config = folder / "tokenizer_config.json"
    config.write_text(json.dumps({"chat_template": text}))
    made = folder / "evil.gguf"
    command = [sys.executable, "-m", "gguf.scripts.gguf_new_metadata", "--force"]
    command += ["--chat-template-config", str(config), str(DEMO), str(made)]
    subprocess.run(command, check=True, capture_output=True)
    return made


@pytest.mark.parametrize("name", [*DEEP, *COSTLY])
def test_a_costly_template_of_the_model(name: str, linux_bundle: Path, tmp_path: Path) -> None:
    model = with_template(tmp_path, (DEEP | COSTLY)[name])
    before = os.times()
    done = run(["sh", linux_bundle, *SERVE, "-m", model])
    after = os.times()
    lines = [line for line in done.stderr.decode().splitlines() if line[:3] in ("ERR", "TIP")]
    assert done.returncode == 1, done.stderr[-1000:]
    assert lines[0].startswith("ERROR the chat template of the model "), lines
    assert lines[1].startswith("TIP "), lines
    used = after.children_user + after.children_system
    assert used - before.children_user - before.children_system < 12


@pytest.mark.parametrize("name", ["parentheses", "loops"])
def test_a_costly_template_of_a_file(name: str, linux_bundle: Path, tmp_path: Path) -> None:
    template = tmp_path / "t.jinja"
    template.write_text((DEEP | COSTLY)[name])
    done = run(["sh", linux_bundle, *SERVE, "--chat-template-file", template])
    assert done.returncode == 1
    assert b"ERROR the chat template that was given " in done.stderr


def test_another_template_is_a_way_out(linux_bundle: Path, tmp_path: Path) -> None:
    model = with_template(tmp_path, COSTLY["loops"])
    with serving(linux_bundle, "-m", str(model), "--chat-template", "chatml"):
        pass  # it has answered


def test_usual_templates_are_well(linux_bundle: Path, tmp_path: Path) -> None:
    """All that come with llamapack, and one with as long a list as a template may have."""
    texts = [path.read_text() for path in sorted(Path("templates/chat").glob("*.jinja"))]
    assert len(texts) > 3
    for text in [*texts, "{{ [" + "1, " * 100000 + "1] | length }}{{ messages[0].content }}"]:
        (tmp_path / "t.jinja").write_text(text)
        with serving(linux_bundle, "--chat-template-file", str(tmp_path / "t.jinja")):
            pass  # it has answered
