"""A chat template, and the prompts that an engine makes with it.

`--probe-template` of native/engine/mode_probe.cpp: the engine's own functions fill in the template,
as for a request to `/apply-template`, within its own limits of time, memory and stack.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

from packer.engines.cache import runnable
from packer.templates.vocabulary import Vocabulary
from runtime.errors import InputError
from runtime.formats.json_input import MALFORMED, parse_json

_SECONDS = 30  # the engine gives up after 8
_ANSWER = 512 << 20  # bytes
_SYNTAX = 1 << 20  # characters that are checked here
_OURS = ("LLAMAPACK_", "LLAMA_ARG_")
_COSTS = re.compile(r"^ERROR the chat template that was given (.*)", re.MULTILINE)
_LINE = re.compile(r"\bat line (\d+)")

Message: TypeAlias = dict[str, Any]
"""As in OpenAI's API: `role`, `content`, `tool_calls`, …."""
Tool: TypeAlias = dict[str, Any]
"""`{"type": "function", "function": {"name": …, "description": …, "parameters": …}}`."""


class RenderError(Exception):
    """Says in one line why a template does not make a prompt."""


@dataclass(frozen=True)
class Conversation:
    """A request for an answer, as a client sends it."""

    messages: Sequence[Message]
    tools: Sequence[Tool] = ()
    add_generation_prompt: bool = True
    chat_template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    """More variables for the template."""


@dataclass(frozen=True)
class ChatTemplate:
    """A template, and the tokens that its model knows."""

    text: str
    """Jinja; empty for a model without a template."""
    tool_use: str | None = None
    """Jinja that takes its place in conversations with tools."""
    bos: str = ""
    eos: str = ""
    vocabulary: Vocabulary | None = None
    """The model's; None if it is not known."""

    def prompts(self, conversations: Sequence[Conversation]) -> list[str | RenderError]:
        """The prompt for each conversation, BOS included, or the reason why there is none. Raises
        InputError if no engine runs here."""
        program = find_engine()
        if program is None:
            raise InputError(
                "no engine runs on this machine, and only an engine fills in templates",
                "Run `llamapack engine fetch`, or `engine build`.",
            )
        found: list[str | RenderError] = []
        for tools, some in groupby(conversations, lambda one: bool(self.tool_use and one.tools)):
            text = self.tool_use if self.tool_use and tools else self.text
            found += _ask(program, text, self.bos, self.eos, list(some))
        return found

    def applied(self, prompt: str) -> str:
        """A prompt as the engine's `/apply-template` shows it: without what its tokenizer adds."""
        if self.vocabulary and self.vocabulary.adds_bos:
            prompt = prompt.removeprefix(self.bos)
        if self.vocabulary and self.vocabulary.adds_eos:
            prompt = prompt.removesuffix(self.eos)
        return prompt

    def in_one(self) -> str:
        """One Jinja text for conversations with and without tools."""
        if self.tool_use is None or self.tool_use == self.text:
            return self.text
        # An empty print keeps the line ends around it, which block tags would eat.
        guard = "{{ '' }}"
        tools, plain = (text.removesuffix("\n") for text in (self.tool_use, self.text))
        return (
            f"{{% if tools %}}{guard}{tools}{guard}{{% else %}}{guard}{plain}{guard}{{% endif %}}"
        )

    def of_model(self, model: ChatTemplate) -> ChatTemplate:
        """This template with the tokens of a model."""
        return replace(self, bos=model.bos, eos=model.eos, vocabulary=model.vocabulary)


def check_syntax(text: str) -> None:
    """Raise a `RenderError` unless a text is Jinja. It is parsed and never run."""
    from jinja2 import Environment, TemplateError, nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.parser import Parser

    class Generation(Extension):
        """`{% generation %}…{% endgeneration %}` of transformers marks the model's own words."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Parser) -> list[nodes.Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    if len(text) > _SYNTAX:
        raise RenderError(f"it has more than {_SYNTAX:,} characters")
    try:
        Environment(extensions=[Generation, loopcontrols]).parse(text)
    except TemplateError as problem:
        line = getattr(problem, "lineno", None)
        raise RenderError(f"line {line}: {problem}" if line else str(problem)) from None
    except RecursionError:
        raise RenderError("it is nested too deeply") from None
    except ValueError as problem:  # a number of thousands of digits
        raise RenderError(str(problem)) from None


def find_engine() -> Path | None:
    """An engine that runs here and answers; None if there is none, or only an older one."""
    return _answering(runnable())


@cache
def _answering(found: Path | None) -> Path | None:
    try:
        return found if found and _answer(found, {"template": "x", "requests": []}) else None
    except RenderError:
        return None


def _ask(
    engine: Path, text: str, bos: str, eos: str, conversations: Sequence[Conversation]
) -> list[str | RenderError]:
    requests = [vars(one) for one in conversations]
    request = {"template": text, "bos_token": bos, "eos_token": eos, "requests": requests}
    try:
        answer = _answer(engine, request)
    except RenderError as problem:
        return [problem] * len(conversations)
    if "error" in answer:
        return [RenderError(_one_line(answer["error"]))] * len(conversations)
    return [
        RenderError(_one_line(one["error"])) if "error" in one else str(one["prompt"])
        for one in answer["results"]
    ]


def _answer(engine: Path, request: Mapping[str, Any]) -> Any:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    try:
        done = subprocess.run(
            [engine, "--probe-template"],
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


def _one_line(error: str) -> str:
    """The line and the cause in an error of the engine, which quotes the template around it."""
    place = _LINE.search(error)
    cause = error.rpartition("Error: ")[2].removeprefix("Jinja Exception: ").strip()
    first = cause.splitlines()[0] if cause else "it fails"
    return f"line {place[1]}: {first}" if place else first
