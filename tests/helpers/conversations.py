"""Conversations that chat templates are compared on, and templates in use to compare them with."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from packer.engines import layout, native
from packer.engines.pins import load
from packer.templates.template import ChatTemplate, Conversation, find_engine

BOS, EOS = "<|endoftext|>", "<|im_end|>"
"""Those of the demo model, which the engine is started with."""

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": 'Weather of a "place", überall',
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"type": "string", "description": "Which <place>"},
                "days": {"type": "integer", "description": "How many"},
            },
            "required": ["place"],
        },
    },
}
ARGUMENTS = {"place": "Zürich", "days": 2}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def model(content: str, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


def system(content: str) -> dict[str, Any]:
    return {"role": "system", "content": content}


def call(arguments: Any) -> dict[str, Any]:
    function = {"name": "get_weather", "arguments": arguments}
    return model("", tool_calls=[{"id": "abcdefgh9", "type": "function", "function": function}])


RESULT = {
    "role": "tool",
    "content": '{"sky": "blue"}',
    "tool_call_id": "abcdefgh9",
    "name": "get_weather",
}
ASKED = user("How is the weather?")

CONVERSATIONS = {
    "one question": Conversation([user("Hi there")]),
    "turns": Conversation([user("Hi"), model("Hello!"), user("  Größe & <b>?\n")]),
    "system": Conversation([system("Be brief."), user("Hi"), model("Hello!"), user("Bye")]),
    "empty content": Conversation([user("Hi"), model(""), user("")]),
    "tools": Conversation([system("Be brief."), ASKED], [WEATHER]),
    "tool call": Conversation(
        [ASKED, call(ARGUMENTS), RESULT, model("Blue."), user("Thanks")], [WEATHER]
    ),
    "tool result": Conversation([ASKED, call(ARGUMENTS), RESULT], [WEATHER]),
}
"""What Jinja alone says about: transformers and the engine must agree."""

ADAPTED = {
    "arguments as text": Conversation(
        [ASKED, call('{"place": "Zürich", "days": 2}'), RESULT], [WEATHER]
    ),
    "parts": Conversation([user([{"type": "text", "text": "one"}, {"type": "text", "text": "2"}])]),
    "reasoning": Conversation([user("Hi"), model("Hello!", reasoning_content="Hm."), user("Bye")]),
    "developer": Conversation([{"role": "developer", "content": "Be brief."}, user("Hi")]),
}
"""What the engine changes before it renders: its server and what we show must agree."""


def _named_call(number: str, place: str) -> dict[str, Any]:
    function = {"name": "get_weather", "arguments": {"place": place}}
    return {"id": number, "type": "function", "function": function}


CALLS = {
    "results in another order": Conversation(
        [
            ASKED,
            model("", tool_calls=[_named_call("abcdefgh1", "A"), _named_call("abcdefgh2", "B")]),
            {**RESULT, "tool_call_id": "abcdefgh2", "content": "rain"},
            {**RESULT, "tool_call_id": "abcdefgh1", "content": "sun"},
            model("Both."),
            user("Thanks"),
        ],
        [WEATHER],
    ),
    "reasoning beside a call": Conversation(
        [ASKED, {**call(ARGUMENTS), "reasoning_content": "Hm."}, RESULT], [WEATHER]
    ),
}
"""What the engine changes for single families."""


def without_head(conversation: Conversation) -> Conversation:
    """The same, rendered without the head of the answer."""
    return Conversation(conversation.messages, conversation.tools, add_generation_prompt=False)


def published() -> dict[str, Path]:
    """The templates that come with llama.cpp's source, by name."""
    source = layout.source() / f"llama.cpp-{load(native.directory()).release}"
    found = {path.stem: path for path in sorted(source.glob("models/templates/*.jinja"))}
    if not found:
        pytest.fail("llama.cpp's source is missing; run `llamapack engine build`")
    return found


def prompt_of(template: ChatTemplate, conversation: Conversation) -> str:
    """What the engine makes of it."""
    (prompt,) = template.prompts([conversation])
    assert isinstance(prompt, str), prompt
    return prompt


def ours(text: str, conversations: Sequence[Conversation]) -> list[str | None]:
    """What the engine makes of each; None if the template refuses it."""
    prompts = ChatTemplate(text, bos=BOS, eos=EOS).prompts(conversations)
    return [prompt if isinstance(prompt, str) else None for prompt in prompts]


def thinks(text: str) -> bool:
    """Whether the engine switches thinking on for a template unless a client says otherwise."""
    request = {"template": text, "bos_token": BOS, "eos_token": EOS, "requests": []}
    program = find_engine()
    assert program, "run `llamapack engine build`"
    done = subprocess.run(
        [program, "--probe-template"],
        input=json.dumps(request).encode(),
        capture_output=True,
        check=True,
    )
    return bool(json.loads(done.stdout)["thinking"])


def engine_variables(text: str) -> dict[str, Any]:
    """What the engine hands to a template beside the conversation, as far as templates show it."""
    now = datetime.now()
    return {
        "enable_thinking": thinks(text),
        "datetime": now.strftime("%b %d %Y"),
        "date_string": now.strftime("%d %b %Y"),
        "preserve_thinking": True,
        "clear_thinking": False,
        "truncate_history_thinking": False,
        "drop_thinking": False,
    }
