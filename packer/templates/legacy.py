"""The template fields of old model cards, and Jinja made from them.

Cards for llamafiles have `prompt_template` and `history_template` in their front matter; people
pasted them into the web UI of old llamafiles. It put the system prompt in place of `{{prompt}}`,
the turns in place of `{{history}}`, each made by `history_template` from `{{name}}` and
`{{message}}`, and the model's name in place of `{{char}}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from packer.io.console import warning
from packer.weights.inputs import Inputs
from runtime.errors import InputError

PROMPT_FIELD, HISTORY_FIELD = "prompt_template", "history_template"

_IN_PROMPT = {"prompt", "history", "char", "user"}
_IN_HISTORY = {"name", "message", "char", "user"}
_BOS = re.compile(
    r"<s>|<bos>|<\|begin_of_text\|>|<｜begin▁of▁sentence｜>|<BOS_TOKEN>|\[gMASK\]<sop>"
)
_LIMIT = 1 << 16  # characters


@dataclass(frozen=True)
class LegacyTemplates:
    """The two fields."""

    prompt_template: str
    history_template: str | None
    """One turn; None if the card has no turns: `{{prompt}}` is then the user's message."""


def card_template(card: Mapping[str, Any], inputs: Inputs) -> bytes | None:
    """Jinja for the card of models that have no template; None if it has no usable fields.

    Args:
        card: its front matter.
    """
    if any(model.chat_template for model in inputs.models):
        return None
    try:
        found = stated_template(card, "the model card")
    except InputError as problem:
        warning(f"{problem.message}, so its `{PROMPT_FIELD}` is not used")
        return None
    return found.encode() if found else None


def stated_template(card: Mapping[str, Any], name: str) -> str | None:
    """Jinja for the template fields in the front matter of a card; None if it has none. Raises
    InputError if they make no template; the message calls the card `name`."""
    prompt, history = card.get(PROMPT_FIELD), card.get(HISTORY_FIELD)
    if not isinstance(prompt, str) or not isinstance(history, str | None):
        return None
    if "{{" not in prompt and history is None:
        # Cards of other quantizers write it so.
        prompt = prompt.replace("{prompt}", "{{prompt}}")
    return to_jinja(LegacyTemplates(prompt, history), name)


def to_jinja(fields: LegacyTemplates, name: str) -> str:
    """A chat template that makes the same prompts as the fields.

    YAML's blocks and the old text fields lose or add line ends, so these follow from the rest: the
    answer begins as the other turns do, after the same line ends. Without a system prompt, the text
    around `{{prompt}}` is left out too.

    Raises:
        InputError: the fields contradict each other, or use other places than these; the message
            calls the card `name`.
    """
    _check(fields, name)
    if fields.history_template is None:
        return _one_turn(fields.prompt_template)
    return _turns(fields.prompt_template, fields.history_template)


def _check(fields: LegacyTemplates, name: str) -> None:
    if len(fields.prompt_template) + len(fields.history_template or "") > _LIMIT:
        raise _wrong(name, "they are too long")
    prompt = _places(fields.prompt_template)
    history = _places(fields.history_template or "")
    if unknown := [*(set(prompt) - _IN_PROMPT), *(set(history) - _IN_HISTORY)]:
        raise _wrong(name, f"nobody knows what `{{{{{unknown[0]}}}}}` stands for there")
    if fields.history_template is None:
        if prompt.count("prompt") != 1 or "history" in prompt:
            what = "{{history}} but there is no" if "history" in prompt else "no {{prompt}} and no"
            raise _wrong(name, f"`{PROMPT_FIELD}` has {what} `{HISTORY_FIELD}`")
    elif prompt.count("history") != 1:
        raise _wrong(name, f"`{PROMPT_FIELD}` has not one {{{{history}}}}")
    elif history.count("message") != 1:
        raise _wrong(name, f"`{HISTORY_FIELD}` has not one {{{{message}}}}")
    elif "prompt" in _places(_around(fields.prompt_template, "history")[1]):
        raise _wrong(name, f"in `{PROMPT_FIELD}` {{{{prompt}}}} comes after {{{{history}}}}")


def _wrong(name: str, what: str) -> InputError:
    return InputError(
        f"{name}: its `{PROMPT_FIELD}` and `{HISTORY_FIELD}` make no template: {what}",
        "Correct them, or name another template with `--chat-template`.",
    )


def _turns(prompt: str, history: str) -> str:
    before, after = _around(prompt, "history")
    start, _ = _around(history, "message")
    begun = re.sub(r"\{\{\s*name\s*\}\}", "{{char}}", start)
    separator = after[: len(after) - len(after.lstrip("\n"))]
    after = after.removeprefix(separator)
    if separator or not before.endswith("\n"):
        history = history.removesuffix("\n")
    if after.rstrip("\n") == begun.rstrip("\n"):
        after = begun
    elif begun.startswith(after.rstrip("\n")):
        after = after.rstrip("\n")
    lead = bos[0] if (bos := _BOS.match(before)) else ""
    names = _names(history)
    system = before.removeprefix(lead)
    shown = _printed(system, names)
    has_place = "prompt" in _places(system)
    user, model = names
    return (
        _SYSTEM_FIRST
        + _printed(lead, names)
        + ("{%- if system -%}" + shown + "{%- endif -%}" if has_place else shown)
        + "{%- for message in turns -%}"
        + f"{{%- set name = '{user}' if message['role'] == 'user' else '{model}' "
        + "if message['role'] == 'assistant' else message['role'] -%}"
        + (_CONTENT if has_place else _CONTENT_WITH_SYSTEM)
        + _printed(history + separator, names)
        + "{%- endfor -%}{%- if add_generation_prompt -%}"
        + _printed(after, names)
        + "{%- endif -%}"
    )


def _one_turn(prompt: str) -> str:
    names = _names(prompt)
    turn = re.sub(r"\{\{\s*prompt\s*\}\}", "{{message}}", prompt)
    return (
        _SYSTEM_FIRST
        + "{%- for message in turns -%}{%- if message['role'] == 'assistant' -%}"
        + "{{- message['content'] ~ eos_token -}}{%- else -%}"
        + _CONTENT_WITH_SYSTEM
        + _printed(turn, names)
        + "{%- endif -%}{%- endfor -%}"
    )


_SYSTEM_FIRST = (
    "{%- if messages and messages[0]['role'] == 'system' -%}"
    "{%- set system = messages[0]['content'] -%}{%- set turns = messages[1:] -%}"
    "{%- else -%}{%- set system = '' -%}{%- set turns = messages -%}{%- endif -%}"
)
_CONTENT = "{%- set content = message['content'] -%}"
# The engine joins a system prompt to the first message in the same way where there is no place.
_CONTENT_WITH_SYSTEM = (
    "{%- if loop.first and system -%}{%- set content = system ~ '\\n' ~ message['content'] -%}"
    "{%- else -%}" + _CONTENT + "{%- endif -%}"
)


def _names(text: str) -> tuple[str, str]:
    """The words for user and model: the fields do not state them, but the markers show them."""
    if "<start_of_turn>" in text or "<|turn>" in text:
        return "user", "model"
    if re.search(r"\{\{\s*\w+\s*\}\}_TOKEN\|>", text):
        return "USER", "CHATBOT"
    if re.search(r"<｜\{\{|\{\{\s*name\s*\}\}:", text):
        return "User", "Assistant"
    return "user", "assistant"


def _printed(text: str, names: tuple[str, str]) -> str:
    """Jinja that prints a text with places."""
    user, model = names
    values = {
        "prompt": "system",
        "name": "name",
        "message": "content",
        "user": _quoted(user),
        "char": _quoted(model),
    }
    pieces = [values[piece] if place else _quoted(piece) for place, piece in _pieces(text) if piece]
    return "{{- " + " ~ ".join(pieces) + " -}}" if pieces else ""


def _pieces(text: str) -> Iterator[tuple[bool, str]]:
    """Texts (False) and names of places (True) by turns."""
    position = 0
    # Not a regular expression: for braces and blanks that nothing closes, its work grows with the
    # cube of their number.
    while (start := text.find("{{", position)) >= 0 and (end := text.find("}}", start + 2)) >= 0:
        yield False, text[position:start]
        yield True, text[start + 2 : end].strip()
        position = end + 2
    yield False, text[position:]


def _places(text: str) -> list[str]:
    return [piece for place, piece in _pieces(text) if place]


def _around(text: str, place: str) -> tuple[str, str]:
    """The texts before and after a place."""
    before, after = re.split(r"\{\{\s*" + place + r"\s*\}\}", text, maxsplit=1)
    return before, after


def _quoted(text: str) -> str:
    """A Jinja string."""
    return f"'{text.translate(_ESCAPES)}'"


_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
