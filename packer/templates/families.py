"""What the engine does for single families of templates, which it knows by words in their text.

Source: `common_chat_templates_init`, `common_chat_try_specialized_template` and the functions that
these call in `common/chat.cpp` of llama.cpp v0.4.0. Only what changes the prompt is here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from packer.templates.render import Message
from runtime.json_input import parse_json

_GPT_OSS = "<|channel|>"
_GPT_OSS_GUARD = (
    '{%- if "<|channel|>analysis<|message|>" in message.content or '
    '"<|channel|>final<|message|>" in message.content %}'
)
_MISTRAL_GUARD = (
    "{%- if (message['content'] is none or message['content'] == '' or "
    "message['content']|length == 0) and (message['tool_calls'] is not defined or "
    "message['tool_calls'] is none or message['tool_calls']|length == 0) %}"
)
_NEVER = "{%- if false %}"


def corrected(text: str) -> str:
    """The template without guards against conversations that the engine wants to render."""
    if _GPT_OSS in text:
        text = text.replace(_GPT_OSS_GUARD, _NEVER)
    if "[TOOL_CALLS]" in text:
        text = text.replace(_MISTRAL_GUARD, _NEVER)
    return text


def keeps_developer(text: str) -> bool:
    """Whether `developer` is a role of its own; else the engine makes `system` of it."""
    return _GPT_OSS in text


def trims(text: str) -> bool:
    """Whether white space around contents goes before anything else."""
    return "You have access to the following functions in JSONSchema format" in text


def adapted(text: str, messages: Sequence[Message]) -> list[Message]:
    """Messages in the form that this family's template wants."""
    if _is_ministral(text):
        return [_in_blocks(message) for message in messages]
    if _GPT_OSS in text:
        return [_thinking_alone(message) for message in messages]
    if _is_lfm2(text):
        return [_thinking(message) for message in messages]
    if _is_deepseek_v4(text):
        return _in_order_of_calls(messages)
    if is_gemma_4(text) and "{#- OpenAI Chat Completions:" not in text:
        return _with_tool_responses(messages)
    return list(messages)


def finished(text: str, prompt: str, *, add_generation_prompt: bool) -> str:
    """The prompt with what the engine mends in it."""
    if _is_ministral(text):
        return prompt
    if _GPT_OSS in text and not add_generation_prompt:
        head, found, tail = prompt.rpartition("<|return|>")
        return f"{head}<|end|>{tail}" if found else prompt
    if is_gemma_4(text) and add_generation_prompt and prompt.endswith("<turn|>\n"):
        return prompt + "<|turn>model\n"
    return prompt


def _is_ministral(text: str) -> bool:
    return (
        all(word in text for word in ("[SYSTEM_PROMPT]", "[TOOL_CALLS]", "[ARGS]"))
        and "[CALL_ID]" not in text
    )


def _is_lfm2(text: str) -> bool:
    listed = "<|tool_list_start|>" in text
    return (listed and "<|tool_list_end|>" in text) or ("List of tools: [" in text and not listed)


def _is_deepseek_v4(text: str) -> bool:
    words = ("dsml_token", "DSML", "tool_calls")
    return all(word in text for word in words) and "function_calls" not in text


def is_gemma_4(text: str) -> bool:
    """Whether it is one of Gemma 4's templates."""
    return "'<|tool_call>call:'" in text


def _in_blocks(message: Message) -> Message:
    """System and assistant messages with a list of blocks as content, thoughts among them."""
    if message["role"] not in ("system", "assistant"):
        return message
    blocks: list[dict[str, Any]] = []
    if isinstance(message.get("reasoning_content"), str):
        blocks.append({"type": "thinking", "thinking": message["reasoning_content"]})
    content = message["content"]
    blocks += [{"type": "text", "text": content}] if isinstance(content, str) else content
    kept = {key: value for key, value in message.items() if key != "reasoning_content"}
    return {**kept, "content": blocks}


def _thinking(message: Message) -> Message:
    if isinstance(message.get("reasoning_content"), str):
        return {**message, "thinking": message["reasoning_content"]}
    return message


def _thinking_alone(message: Message) -> Message:
    """The same; beside tool calls, thoughts take the place of the content."""
    changed = _thinking(message)
    if changed is not message and changed.get("tool_calls"):
        return {key: value for key, value in changed.items() if key != "content"}
    return changed


def _in_order_of_calls(messages: Sequence[Message]) -> list[Message]:
    """Results of tools between two answers in the order of the calls that they belong to."""
    result = list(messages)
    order: dict[str, int] = {}
    run: list[int] = []
    for position, message in enumerate([*messages, {"role": ""}]):
        if message["role"] == "tool":
            run.append(position)
        elif message["role"] != "user":
            if order:
                results = [messages[one] for one in run]
                results.sort(key=lambda one: order.get(one.get("tool_call_id", ""), 0))
                for one, moved in zip(run, results, strict=True):
                    result[one] = moved
            run = []
            if message["role"] == "assistant" and message.get("tool_calls"):
                calls = message["tool_calls"]
                order = {call["id"]: n for n, call in enumerate(calls) if call.get("id")}
    return result


def _with_tool_responses(messages: Sequence[Message]) -> list[Message]:
    """Each call of tools as one message with the results and the answer that follow it."""
    result: list[Message] = []
    left = list(messages)
    while left:
        message = left.pop(0)
        if message["role"] != "assistant" or not message.get("tool_calls"):
            result.append(message)
            continue
        calls = message["tool_calls"]
        responses: list[dict[str, Any]] = []
        while left and left[0]["role"] == "tool":
            answer = left.pop(0)
            place = len(responses)
            name = calls[place]["function"]["name"] if place < len(calls) else ""
            responses.append(
                {
                    "name": name or answer.get("tool_call_id", ""),
                    "response": _as_json(answer["content"]),
                }
            )
        turn: Message = {"role": "assistant", "tool_calls": calls}
        if responses:
            turn["tool_responses"] = responses
        if left and left[0]["role"] == "assistant":
            following = left[0]
            if following["content"] and not following.get("tool_calls"):
                turn["content"] = left.pop(0)["content"]
        if isinstance(message.get("reasoning_content"), str):
            turn["reasoning_content"] = message["reasoning_content"]
        result.append(turn)
    return result


def _as_json(content: Any) -> Any:
    try:
        return parse_json(content) if isinstance(content, str) else content
    except ValueError:
        return content
