"""Fills a template with what clients send, as Jinja alone does it.

An engine adapts conversations to a template first (packer/templates/engine.py asks it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from packer.templates.environment import compiled, failing

Message: TypeAlias = dict[str, Any]
"""As OpenAI's API has them: `role`, `content`, `tool_calls`, …."""
Tool: TypeAlias = dict[str, Any]
"""`{"type": "function", "function": {"name": …, "description": …, "parameters": …}}`."""


@dataclass(frozen=True)
class Conversation:
    """What a client sends to be answered."""

    messages: Sequence[Message]
    tools: Sequence[Tool] = ()
    add_generation_prompt: bool = True
    variables: Mapping[str, Any] = field(default_factory=dict)
    """More variables for the template: `chat_template_kwargs` of the API."""


def rendered(text: str, conversation: Conversation, *, bos: str, eos: str) -> str:
    """A template filled in with a conversation, which stays as it is.

    Args:
        bos: what `bos_token` stands for, and `eos` for `eos_token`.

    Raises:
        RenderError: the template fails.
    """
    variables: dict[str, Any] = {
        "messages": list(conversation.messages),
        "bos_token": bos,
        "eos_token": eos,
        "add_generation_prompt": conversation.add_generation_prompt,
        "enable_thinking": True,
        **conversation.variables,
    }
    if conversation.tools:
        variables["tools"] = list(conversation.tools)
    template = compiled(text)
    with failing():
        return template.render(**deepcopy(variables))
