"""The prompts that `template render` shows against the server's own `/apply-template`."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from helpers.conversations import ADAPTED, CALLS, CONVERSATIONS, ours, published, user, without_head
from helpers.old_cards import GEMMA_CARD
from helpers.repository import DEMO
from helpers.running import Server, pack, serving

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
    headers = {"Content-Type": "application/json"}
    request = Request(f"{server.url}/apply-template", json.dumps(body).encode(), headers)
    try:
        with urlopen(request, timeout=60) as response:
            return str(json.load(response)["prompt"])
    except HTTPError:
        return None


@pytest.mark.parametrize("name", TEMPLATES)
def test_prompts_are_those_of_the_engine(demo_bundle: Path, name: str) -> None:
    path = TEMPLATES[name]
    text = path.read_text(encoding="utf-8")
    with serving(demo_bundle, "--chat-template-file", str(path), "-c", "256") as server:
        asked = [*CONVERSATIONS.values(), *ADAPTED.values()]
        asked += [without_head(one) for one in asked]
        assert ours(text, asked) == [applied(server, one) for one in asked]


FAMILIES = (
    "LFM2-8B-A1B",
    "deepseek-ai-DeepSeek-V4",
    "google-gemma-4-31B-it",
    "google-gemma-4-31B-it-interleaved",
    "mistralai-Ministral-3-14B-Reasoning-2512",
    "openai-gpt-oss-120b",
)
"""Those whose messages the engine changes."""


@pytest.mark.parametrize("name", FAMILIES)
def test_calls_in_families_that_the_engine_knows(demo_bundle: Path, name: str) -> None:
    path = published()[name]
    text = path.read_text(encoding="utf-8")
    with serving(demo_bundle, "--chat-template-file", str(path), "-c", "256") as server:
        asked = [*CALLS.values(), *ADAPTED.values()]
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
