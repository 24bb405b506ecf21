"""What is wrong with a chat template for the model that it is to serve."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packer.templates import engine, limited
from packer.templates.environment import RenderError
from packer.templates.found import ChatTemplate
from packer.templates.render import Conversation, Message, Tool

_SYSTEM, _QUESTION, _ANSWER = "SysMark1", "AskMark2", "SayMark3"
_TOOL, _ARGUMENT, _RESULT = "tool_mark4", "ArgMark5", "ResultMark6"
_SPECIAL = re.compile(
    # `<|im_end|>`, `<｜User｜>`, `<|turn>`, `<turn|>`; `<s>` and those that are named alike.
    r"<[|｜][^<>|｜\s]{1,60}[|｜]?>|<[^<>|｜\s]{1,60}[|｜]>"
    r"|</?s>|<(?:bos|eos|(?:start|end)_of_(?:turn|text|role))>"
)


def problems(template: ChatTemplate) -> list[str]:
    """What a packer's user should know, in sentences that begin with a small letter."""
    if not template.text:
        return [
            "it has no chat template, so chats will be in ChatML; if it was trained for chats, "
            "name its template with `--chat-template`"
        ]
    return list(_problems(template))


def _problems(template: ChatTemplate) -> Iterator[str]:
    question: Message = {"role": "user", "content": _QUESTION}
    system: Message = {"role": "system", "content": _SYSTEM}
    turns = [question, {"role": "assistant", "content": _ANSWER}, question]
    if engine.program() is None:
        yield from _syntax(template)
        return
    prompt, with_system, with_turns, with_tool, with_all = template.prompts(
        [
            Conversation([question]),
            Conversation([system, question]),
            Conversation(turns),
            _with_tool(),
            Conversation([system, *turns]),
        ]
    )
    if isinstance(prompt, RenderError):
        yield f"its chat template fails: {prompt}"
        return
    if _QUESTION not in prompt:
        yield "its chat template drops what the user says"
    yield from _lost(with_system, "the system prompt", [_SYSTEM])
    yield from _lost(with_turns, "the model's own answers", [_ANSWER])
    yield from _lost(with_tool, "tools, their calls or results", [_TOOL, _ARGUMENT, _RESULT])
    if missing := _missing(template, with_all):
        yield (
            f"its chat template uses {', '.join(missing)}, which its vocabulary does not have: "
            "the model reads them as plain text"
        )


def _syntax(template: ChatTemplate) -> Iterator[str]:
    try:
        limited.check(template.in_one())
    except RenderError as problem:
        yield f"its chat template fails: {problem}"


def _lost(prompt: str | RenderError, what: str, marks: list[str]) -> Iterator[str]:
    if isinstance(prompt, RenderError):
        yield f"its chat template fails on {what}: {prompt}"
    elif any(mark not in prompt for mark in marks):
        yield f"its chat template drops {what}"


def _with_tool() -> Conversation:
    tool: Tool = {
        "type": "function",
        "function": {
            "name": _TOOL,
            "description": "Looks something up.",
            "parameters": {
                "type": "object",
                "properties": {"what": {"type": "string", "description": "What to look up."}},
                "required": ["what"],
            },
        },
    }
    call = {
        "id": "abcdefgh9",
        "type": "function",
        "function": {"name": _TOOL, "arguments": {"what": _ARGUMENT}},
    }
    messages: list[Message] = [
        {"role": "user", "content": _QUESTION},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "name": _TOOL, "tool_call_id": call["id"], "content": _RESULT},
    ]
    return Conversation(messages, [tool])


def _missing(template: ChatTemplate, prompt: str | RenderError) -> list[str]:
    """Special tokens of the prompt that the model does not know."""
    if template.vocabulary is None or isinstance(prompt, RenderError):
        return []
    return template.vocabulary.missing(list(dict.fromkeys(_SPECIAL.findall(prompt))))
