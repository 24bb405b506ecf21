"""The prompt that an engine makes of a conversation.

The engine adapts a conversation to what it takes the template to understand, and only then renders
it. Source: `oaicompat_chat_params_parse` and `common_chat_templates_apply_jinja` of llama.cpp
v0.4.0 (`tools/server/server-common.cpp`, `common/chat.cpp`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from packer.templates import families
from packer.templates.capabilities import Capabilities, capabilities
from packer.templates.environment import RenderError, compiled, failing
from packer.templates.render import Conversation, Message, Tool, filled
from packer.templates.thinking import thinks
from runtime.json_input import parse_json


def engine_prompt(text: str, conversation: Conversation, *, bos: str = "", eos: str = "") -> str:
    """What the engine makes of a conversation, BOS included.

    Where the tokenizer adds BOS, the engine takes it away from the start of this prompt first, so
    that `/apply-template` shows it without.

    Args:
        text: the template.
        bos: what `bos_token` stands for, and `eos` for `eos_token`.

    Raises:
        RenderError: the template fails, or the engine refuses the conversation.
    """
    with failing():
        return _engine_prompt(families.corrected(text), conversation, bos, eos)


def _engine_prompt(text: str, conversation: Conversation, bos: str, eos: str) -> str:
    compiled(text)
    messages = [_message(message) for message in conversation.messages]
    if messages and messages[-1]["role"] == "assistant":
        return _continued(text, conversation, messages, bos, eos)
    return _prompt(text, conversation, messages, bos, eos)


def _continued(
    text: str, conversation: Conversation, messages: list[Message], bos: str, eos: str
) -> str:
    """A conversation that ends in an answer: the model is to go on with it."""
    answer = messages.pop()
    if answer.get("tool_calls"):
        raise RenderError("the engine does not go on with an answer that calls tools")
    if "think" in text:
        raise RenderError(
            "how the engine goes on with an answer is not known here for templates that think"
        )
    return _prompt(text, conversation, messages, bos, eos, generate=True) + _text(answer["content"])


def _prompt(
    text: str, conversation: Conversation, messages: list[Message], bos: str, eos: str,
    *, generate: bool = False,
) -> str:  # fmt: skip
    can = capabilities(text)
    generate = generate or conversation.add_generation_prompt
    variables: dict[str, Any] = {
        "messages": families.adapted(text, _adapted(text, messages, can)),
        "bos_token": bos,
        "eos_token": eos,
        "enable_thinking": thinks(text),
        **_context(conversation.variables),
    }
    if conversation.tools:
        variables["tools"] = [_tool(tool) for tool in conversation.tools]
    if generate:
        variables["add_generation_prompt"] = True
    return families.finished(text, filled(text, variables), add_generation_prompt=generate)


def _context(own: Mapping[str, Any]) -> dict[str, Any]:
    """What templates find beside the conversation, with what a client adds to it."""
    now = datetime.now()
    context = {
        "datetime": now.strftime("%b %d %Y"),
        "date_string": now.strftime("%d %b %Y"),
        "preserve_reasoning": True,
        **own,
    }
    kept = context["preserve_reasoning"]
    if isinstance(kept, bool):  # templates have different names for it
        context["preserve_thinking"] = kept
        for name in ("clear_thinking", "truncate_history_thinking", "drop_thinking"):
            context[name] = not kept
    if isinstance(effort := context.get("reasoning_effort"), str):
        context["reasoning_strength"] = effort
    return context


def _adapted(text: str, messages: Sequence[Message], can: Capabilities) -> list[Message]:
    """Messages as the engine changes them for what the template can do."""
    messages = [_content(message, can, trim=families.trims(text)) for message in messages]
    if not families.keeps_developer(text):
        messages = [
            {**one, "role": "system"} if one["role"] == "developer" else one for one in messages
        ]
    if not can.system_role and messages and messages[0]["role"] == "system":
        system, *messages = messages
        if messages:
            joined = f"{_text(system['content'])}\n{_text(messages[0]['content'])}"
            messages[0] = {**messages[0], "content": joined}
    if can.object_arguments:
        messages = [_with_object_arguments(message) for message in messages]
    return messages


def _message(message: Message) -> Message:
    """A message with the fields that the engine knows, in its order.

    Raises:
        RenderError: the engine would refuse it.
    """
    role = message.get("role")
    if not isinstance(role, str):
        raise RenderError(f"a message has no role: {message}")
    if message.get("content") is None and not message.get("tool_calls") and role != "assistant":
        raise RenderError(f"a message of the role {role} has no content")
    content = message.get("content")
    if isinstance(content, list) and any(part.get("type") != "text" for part in content):
        raise RenderError("only text is rendered here, no other parts of a content")
    known: Message = {"role": role, "content": content or ""}
    for key in ("reasoning_content", "name", "tool_call_id"):
        if message.get(key):
            known[key] = message[key]
    if message.get("tool_calls"):
        known["tool_calls"] = [_call(call) for call in message["tool_calls"]]
    return known


def _call(call: dict[str, Any]) -> dict[str, Any]:
    function = call["function"]
    arguments = function["arguments"]
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))
    known: dict[str, Any] = {
        "type": "function",
        "function": {"name": function["name"], "arguments": arguments},
    }
    return {**known, "id": call["id"]} if call.get("id") else known


def _tool(tool: Tool) -> Tool:
    function = tool["function"]
    return {
        "type": "function",
        "function": {
            "name": function["name"],
            "description": function.get("description", ""),
            "parameters": function.get("parameters", {}),
        },
    }


def _content(message: Message, can: Capabilities, *, trim: bool) -> Message:
    """A message with content of the kind that the template takes."""
    content = message["content"]
    if trim and isinstance(content, str):
        content = content.strip()
    elif trim:
        content = [{**part, "text": part["text"].strip()} for part in content]
    if can.string_content and not can.typed_content:
        content = _text(content)
    elif can.typed_content and not can.string_content and isinstance(content, str):
        content = [{"type": "text", "text": content}]
    return {**message, "content": content}


def _text(content: str | list[dict[str, str]]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content)


def _with_object_arguments(message: Message) -> Message:
    if "tool_calls" not in message:
        return message
    calls = []
    for call in message["tool_calls"]:
        function = call["function"]
        try:
            arguments = parse_json(function["arguments"])
        except ValueError:
            raise RenderError(
                f"the arguments of the call of {function['name']} are not JSON"
            ) from None
        calls.append({**call, "function": {**function, "arguments": arguments}})
    return {**message, "tool_calls": calls}
