"""What is wrong with a chat template for its model: a packed model is wrong if its prompt is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from packer.bundle.purpose import CHAT, COMPLETION, purpose_of
from packer.io.console import warning
from packer.templates.origin import of_model
from packer.templates.template import (
    ChatTemplate,
    Conversation,
    Message,
    RenderError,
    Tool,
    check_syntax,
    find_engine,
)
from packer.weights.inputs import Inputs

_SYSTEM, _QUESTION, _ANSWER = "SysMark1", "AskMark2", "SayMark3"
_SECOND = "AskMark7"
_TOOL, _ARGUMENT, _RESULT = "tool_mark4", "ArgMark5", "ResultMark6"
_SPECIAL = re.compile(
    # `<|im_end|>`, `<｜User｜>`, `<|turn>`, `<turn|>`; `<s>` and tokens with such names.
    r"<[|｜][^<>|｜\s]{1,60}[|｜]?>|<[^<>|｜\s]{1,60}[|｜]>"
    r"|</?s>|<(?:bos|eos|(?:start|end)_of_(?:turn|text|role))>"
)


def warn_of_problems(inputs: Inputs, template: bytes | None, words: Sequence[str]) -> None:
    """Print a WARNING line for each problem of the templates of models that write text.

    Args:
        template: the bundle's own, in place of those of the models.
        words: the bundle's arguments, which may name another template.
    """
    for model in inputs.models:
        weights = inputs.weights_of(model.file)
        header = weights.header()
        purpose = purpose_of(header, template=model.chat_template is not None, words=words)
        if purpose not in (CHAT, COMPLETION):
            continue
        found = of_model(header, weights.source().open)
        if template is not None:
            found = ChatTemplate(template.decode()).of_model(found)
        if purpose == CHAT and not found.text:
            continue  # the arguments name one
        for problem in problems(found):
            warning(f"{weights}: {problem}")


def problems(template: ChatTemplate) -> list[str]:
    """Problems that a packer's user should know, in sentences that begin with a small letter; only
    those of the syntax where no engine runs."""
    if not template.text:
        return [
            "it has no chat template, so it completes texts; if it was trained for chats, name its "
            "template with `--chat-template`"
        ]
    return list(_problems(template))


def _problems(template: ChatTemplate) -> Iterator[str]:
    if find_engine() is None:
        try:
            check_syntax(template.in_one())
        except RenderError as problem:
            yield f"its chat template fails: {problem}"
        return
    question: Message = {"role": "user", "content": _QUESTION}
    system: Message = {"role": "system", "content": _SYSTEM}
    turns = [question, {"role": "assistant", "content": _ANSWER}, question]
    prompt, with_system, with_turns, with_tool, with_all, with_two = template.prompts(
        [
            Conversation([question]),
            Conversation([system, question]),
            Conversation(turns),
            _with_tool(),
            Conversation([system, *turns]),
            Conversation([question, {"role": "user", "content": _SECOND}]),
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
    yield from _lost(with_two, "two questions in a row", [_QUESTION, _SECOND])
    if missing := _missing(template, with_all):
        yield (
            f"its chat template uses {', '.join(missing)}, which its vocabulary does not have: "
            "the model reads them as plain text"
        )


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
