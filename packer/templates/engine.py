"""Asks an engine what it makes of conversations.

`--probe-template` of native/engine/mode_probe.cpp: the engine's own functions fill the template in,
as for a request to `/apply-template`, within its own limits of time, memory and stack.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from packer.engines.cache import runnable
from packer.templates.environment import RenderError
from packer.templates.render import Conversation
from runtime.formats.json_input import MALFORMED, parse_json

_QUESTION = "--probe-template"
_SECONDS = 30  # the engine gives up after 8
_ANSWER = 512 << 20  # bytes
_OURS = ("LLAMAPACK_", "LLAMA_ARG_")
_COSTS = re.compile(r"^ERROR the chat template that was given (.*)", re.MULTILINE)
_LINE = re.compile(r"\bat line (\d+)")


def program() -> Path | None:
    """An engine that runs here and answers; None if there is none: older ones do not."""
    return _answering(runnable())


@cache
def _answering(found: Path | None) -> Path | None:
    try:
        return found if found and _answer(found, "{{ messages }}", "", "", []) else None
    except RenderError:
        return None


def prompts(
    engine: Path, text: str, conversations: Sequence[Conversation], *, bos: str, eos: str
) -> list[str | RenderError]:
    """What an engine makes of each conversation, BOS included, or why it refuses.

    Where the tokenizer adds BOS, the engine takes it away from the start of this prompt first, so
    that `/apply-template` shows it without.

    Args:
        engine: its program.
        text: the template.
        bos: what `bos_token` stands for, and `eos` for `eos_token`.
    """
    try:
        answer = _answer(engine, text, bos, eos, [_body(one) for one in conversations])
        if "error" in answer:
            raise RenderError(_one_line(answer["error"]))
        return [_prompt(result) for result in answer["results"]]
    except RenderError as problem:
        return [problem] * len(conversations)


def _body(conversation: Conversation) -> dict[str, Any]:
    """As a client would send it."""
    return {
        "messages": conversation.messages,
        "tools": conversation.tools,
        "add_generation_prompt": conversation.add_generation_prompt,
        "chat_template_kwargs": conversation.variables,
    }


def _prompt(result: dict[str, Any]) -> str | RenderError:
    if "error" in result:
        return RenderError(_one_line(result["error"]))
    return str(result["prompt"])


def _one_line(error: str) -> str:
    """The cause in an error of upstream's, which quotes the template around it, and its line."""
    place = _LINE.search(error)
    cause = error.rpartition("Error: ")[2].removeprefix("Jinja Exception: ").strip()
    first = cause.splitlines()[0] if cause else "it fails"
    return f"line {place[1]}: {first}" if place else first


def _answer(engine: Path, text: str, bos: str, eos: str, bodies: list[dict[str, Any]]) -> Any:
    """What an engine answers.

    Raises:
        RenderError: it ends instead, which it says why if the template costs too much.
    """
    request = {"template": text, "bos_token": bos, "eos_token": eos, "requests": bodies}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    try:
        done = subprocess.run(
            [engine, _QUESTION],
            input=json.dumps(request).encode(),
            env=environment,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
        if done.returncode == 0:
            return parse_json(done.stdout, limit=_ANSWER)
    except (OSError, subprocess.SubprocessError, *MALFORMED):
        raise RenderError("the engine does not answer") from None
    costs = _COSTS.search(done.stderr.decode("utf-8", "replace"))
    raise RenderError(f"it {costs[1].strip()}" if costs else "the engine does not answer")
