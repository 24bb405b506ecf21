"""The fields of old model cards, found out from a Jinja template by what it makes of turns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from packer.templates.capabilities import capabilities
from packer.templates.engine import engine_prompt
from packer.templates.environment import RenderError
from packer.templates.legacy import LegacyTemplates, to_jinja
from packer.templates.render import Conversation, Message
from runtime.errors import InputError

_SYSTEM, _QUESTION, _ANSWER, _MORE = "SysMark1", "AskMark2", "SayMark3", "AskMark4"
_DATE = "DateMark5"
_WORD = re.compile(r"[A-Za-z]+")


def legacy_templates(jinja: str, bos: str, eos: str) -> LegacyTemplates | None:
    """The fields that say what the template `jinja` says of system prompt, questions and answers.

    Args:
        bos: what `bos_token` stands for, and `eos` for `eos_token`. A BOS in front of all is left
            out: tokenizers add it.

    Returns:
        None where the fields cannot say it: turns that are not made alike, a date in the prompt.
    """
    try:
        return next(_fitting(jinja, bos, eos), None)
    except RenderError:
        return None


def _fitting(jinja: str, bos: str, eos: str) -> Iterator[LegacyTemplates]:
    messages = _conversation(jinja)
    rendered = _Rendering(jinja, "" if _only_leads(jinja, messages, bos, eos) else bos, eos)
    if fields := _fields(rendered.text(messages, generate=False), rendered.text(messages)):
        # Blocks of YAML end with a line end, so that form comes first.
        for end in ("\n", ""):
            found = LegacyTemplates(fields.prompt_template, f"{fields.history_template}{end}")
            if _says_the_same(found, rendered, messages):
                yield found


def _conversation(jinja: str) -> list[Message]:
    turns: list[Message] = [
        {"role": "user", "content": _QUESTION},
        {"role": "assistant", "content": _ANSWER},
        {"role": "user", "content": _MORE},
    ]
    if capabilities(jinja).system_role:
        return [{"role": "system", "content": _SYSTEM}, *turns]
    return turns


def _only_leads(jinja: str, messages: list[Message], bos: str, eos: str) -> bool:
    """Whether `bos_token` stands in front and nowhere else."""
    with_bos = _Rendering(jinja, bos, eos).text(messages)
    return with_bos == bos + _Rendering(jinja, "", eos).text(messages)


@dataclass(frozen=True)
class _Rendering:
    jinja: str
    bos: str
    eos: str

    def text(self, messages: list[Message], *, generate: bool = True) -> str:
        dates = {"strftime_now": lambda form: _DATE, "date_string": _DATE, "datetime": _DATE}
        conversation = Conversation(messages, (), generate, dates)
        return engine_prompt(self.jinja, conversation, bos=self.bos, eos=self.eos)


def _fields(turns: str, prompt: str) -> LegacyTemplates | None:
    """Take apart what a template makes of the conversation, without and with the model's turn."""
    marks = [_SYSTEM] if _SYSTEM in turns else []
    marks += [_QUESTION, _ANSWER, _MORE]
    if any(turns.count(mark) != 1 for mark in marks) or _DATE in turns or "{{" in turns:
        return None
    pieces = re.split("|".join(marks), turns)
    if re.findall("|".join(marks), turns) != marks or not prompt.startswith(turns):
        return None
    before, to_answer, to_question, end = pieces[-4:]
    generation = prompt.removeprefix(turns)
    if not (to_answer.startswith(end) and to_question.startswith(end)):
        return None
    user, model = to_question.removeprefix(end), to_answer.removeprefix(end)
    head = _head(user, model)
    if head is None or not before.endswith(user) or not generation.startswith(head.model):
        return None
    system = before.removesuffix(user)
    if len(marks) == 4:
        system = f"{pieces[0]}{{{{prompt}}}}{system}"
    separator = end[len(end.rstrip("\n")) :]
    begun = f"{head.before}{{{{char}}}}{generation.removeprefix(head.model)}"
    return LegacyTemplates(
        f"{system}{{{{history}}}}{separator}{begun}",
        f"{head.before}{{{{name}}}}{head.after}{{{{message}}}}{end.removesuffix(separator)}",
    )


@dataclass(frozen=True)
class _Head:
    """How a turn begins, around the name of who speaks."""

    before: str
    after: str
    model: str
    """Up to the model's name."""


def _head(user: str, model: str) -> _Head | None:
    """The heads of two turns, if they differ in one word."""
    for found in _WORD.finditer(model):
        before, after = model[: found.start()], model[found.end() :]
        name = user.removeprefix(before).removesuffix(after)
        if f"{before}{name}{after}" == user and _WORD.fullmatch(name) and name != found[0]:
            return _Head(before, after, before + found[0])
    return None


def _says_the_same(fields: LegacyTemplates, rendered: _Rendering, messages: list[Message]) -> bool:
    try:
        again = _Rendering(to_jinja(fields, "fields"), rendered.bos, rendered.eos)
    except InputError:
        return False
    shorter = messages[:-2]
    return all(
        again.text(some, generate=generate) == rendered.text(some, generate=generate)
        for some in (messages, shorter)
        for generate in (True, False)
    )
