"""What a template can do, found out by rendering probes, as the engine finds it out.

Source: `caps_get` in `common/jinja/caps.cpp` of llama.cpp v0.4.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from packer.templates.environment import RenderError, compiled, failing
from packer.templates.watched import WatchedText, watched

_TEXT = "STRING_MARKER"
_TOOL = {
    "name": "tool",
    "type": "function",
    "function": {
        "name": "tool1",
        "description": "Tool description",
        "parameters": {
            "type": "object",
            "properties": {"arg": {"type": "string", "description": "Arg description"}},
            "required": ["arg"],
        },
    },
}


@dataclass(frozen=True)
class Capabilities:
    """What the engine takes a template to understand; it adapts conversations accordingly."""

    string_content: bool
    """`content` may be text."""
    typed_content: bool
    """`content` may be a list of parts with types."""
    system_role: bool
    object_arguments: bool
    """Arguments of a tool call as an object rather than as JSON text."""


@lru_cache(maxsize=64)
def capabilities(text: str) -> Capabilities:
    """What the template `text` can do; it must be Jinja."""
    return Capabilities(*_content(text), _system_role(text), _object_arguments(text))


def _content(text: str) -> tuple[bool, bool]:
    messages = watched([{"role": "user", "content": _TEXT}])
    prompt = _probed(text, messages, [])
    content = dict.__getitem__(messages[0], "content")
    assert isinstance(content, WatchedText)
    string = prompt is not None and (not content.taken_for_list or _TEXT in prompt)
    return string, content.taken_for_list


def _system_role(text: str) -> bool:
    messages = watched(
        [
            {"role": "system", "content": "System message"},
            {"role": "user", "content": "User message"},
        ]
    )
    _probed(text, messages, [])
    return "content" in messages[0].used


def _object_arguments(text: str) -> bool:
    arguments = {"arg": "value"}
    function = {"name": "tool1", "arguments": arguments}
    call = {"id": "call00001", "type": "function", "function": function}
    messages = watched(
        [
            {"role": "user", "content": "User message"},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "content": "Tool response", "tool_call_id": "call00001"},
            {"role": "assistant", "content": "The tool response was 'tool response'"},
            {"role": "user", "content": "User message"},
        ]
    )
    if _probed(text, messages, watched([_TOOL])) is None:
        return False
    call = dict.__getitem__(messages[1], "tool_calls")[0]
    return "arg" in dict.__getitem__(dict.__getitem__(call, "function"), "arguments").used


def _probed(text: str, messages: list[Any], tools: list[Any]) -> str | None:
    """What comes out, or None if the template fails."""
    variables = {"messages": messages, "tools": tools, "bos_token": "", "eos_token": ""}
    try:
        with failing():
            return compiled(text).render(**variables, add_generation_prompt=True)
    except RenderError:
        return None
