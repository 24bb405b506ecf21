"""Whether the engine takes a template for one of a model that thinks, and switches that on.

Source: `analyze_reasoning` in `common/chat-diff-analyzer.cpp` of llama.cpp v0.4.0, which compares
what a template makes of conversations that differ in one thing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from packer.templates import families
from packer.templates.environment import RenderError
from packer.templates.render import Message, filled

_ANCHOR = 64  # characters at the end of a prompt by which it is found in another
_THOUGHT = "REASON_PART I am thinking END_R"
_QUESTION: Message = {"role": "user", "content": "U_USER_MSG Hello END_U"}
_ANSWER: Message = {"role": "assistant", "content": "A_ASST_MSG I can help END_A"}


@lru_cache(maxsize=64)
def thinks(text: str) -> bool:
    """Whether `enable_thinking` is true for the template `text` unless a client says otherwise."""
    if "enable_thinking" not in text or families.is_gemma_4(text):
        return True  # nobody looks, or the engine knows the family
    answer = {**_ANSWER, "reasoning_content": _THOUGHT}
    shown = _rendered(text, [_QUESTION, answer], thinking=True, generate=False)
    if shown and _THOUGHT in shown:
        return True
    return _ends_otherwise(
        _rendered(text, [_QUESTION], thinking=False, generate=True),
        _rendered(text, [_QUESTION], thinking=True, generate=True),
    )


def _ends_otherwise(off: str | None, on: str | None) -> bool:
    """Whether one prompt is the other with more at its end."""
    if off is None or on is None or off == on:
        return False
    for shorter, longer in ((off, on), (on, off)):
        anchor = shorter[-_ANCHOR:]
        _, found, more = longer.rpartition(anchor)
        if found and more.strip():
            return True
    return False


def _rendered(text: str, messages: list[Message], *, thinking: bool, generate: bool) -> str | None:
    variables: dict[str, Any] = {"messages": messages, "bos_token": "", "eos_token": ""}
    if generate:
        variables["add_generation_prompt"] = True
    try:
        return filled(text, {**variables, "enable_thinking": thinking})
    except RenderError:
        return None
