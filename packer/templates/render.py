"""Fills a template with what clients send."""

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


def filled(text: str, variables: Mapping[str, Any]) -> str:
    """A template with its variables filled in; these stay as they are.

    Raises:
        RenderError: the template fails.
    """
    template = compiled(text)
    with failing():
        return template.render(**deepcopy(dict(variables)))
