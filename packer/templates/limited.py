"""Fills in templates in a process of its own that may take so much time and memory, and no more.

Jinja's sandbox limits what a template may reach, not what it may cost: `range` in `range` runs for
ever, and a text times a number fills memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from typing import Any

from packer.templates.environment import RenderError, compiled
from packer.templates.render import Conversation, rendered

_SECONDS = 3  # of a processor; all that is asked of a template takes a tenth
_MEGABYTES = 512
_OUTPUT = 16 << 20  # bytes, beside twice what was given
# A template has nothing to wait for, so where the processor's time is limited this ends nothing
# that is well, on a busy machine either.
_WALL_SECONDS = 60 if sys.platform != "win32" else _SECONDS + 1
_START = "import sys; sys.path[:] = sys.argv[1:]; import packer.templates.limited as l; l.answer()"
_CHILD = "LLAMAPACK_FILLS_IN_TEMPLATES"
"""Set where a program that has Python inside starts itself to answer; `packer.cli` looks for it."""


def prompts(
    text: str, conversations: Sequence[Conversation], *, bos: str, eos: str
) -> list[str | RenderError]:
    """What `rendered` makes of each conversation, or why it fails."""
    asked = [asdict(one) for one in conversations]
    try:
        found = _ask("prompts", text=text, conversations=asked, bos=bos, eos=eos)
    except RenderError as problem:
        return [problem] * len(conversations)
    return [RenderError(failure) if failure else prompt for prompt, failure in found]


def check(text: str) -> None:
    """Find out whether a template is Jinja.

    Raises:
        RenderError: it is not.
    """
    _ask("check", text=text)


def _ask(call: str, **question: Any) -> Any:
    answer = json.loads(_answered(json.dumps([call, question])))
    if "failure" in answer:
        raise RenderError(answer["failure"])
    return answer["found"]


@cache
def _answered(question: str) -> bytes:
    frozen = getattr(sys, "frozen", False)  # by PyInstaller: `sys.executable` is llamapack itself
    try:
        done = subprocess.run(
            [sys.executable] if frozen else [sys.executable, "-P", "-c", _START, *sys.path],
            input=question.encode(),
            # Not the null device, which a container may lack.
            capture_output=True,
            env=os.environ | {_CHILD: "1"} if frozen else None,
            timeout=_WALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _failure()
    return done.stdout if done.returncode == 0 else _failure()


def _failure() -> bytes:
    why = f"it takes more than {_SECONDS} seconds or {_MEGABYTES} MB to fill in"
    return json.dumps({"failure": why}).encode()


def answer() -> None:
    """Answer the question on stdin, within the limits."""
    _limit()
    data = sys.stdin.buffer.read()
    call, question = json.loads(data)
    try:
        found = {"found": _CALLS[call](**question)}
    except RenderError as problem:
        found = {"failure": str(problem)}
    text = json.dumps(found).encode()
    if len(text) > _OUTPUT + 2 * len(data):
        raise SystemExit(1)
    sys.stdout.buffer.write(text)


def _limit() -> None:
    if sys.platform == "win32":
        return
    import resource

    memory = getattr(resource, "RLIMIT_AS", resource.RLIMIT_DATA)
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, _SECONDS),
        (memory, _MEGABYTES << 20),
    ):
        with suppress(ValueError, OSError):  # the user's own limit is lower
            resource.setrlimit(kind, (most, most))


def _prompts(text: str, conversations: list[Any], bos: str, eos: str) -> list[tuple[str, str]]:
    return [_prompt(text, Conversation(**one), bos, eos) for one in conversations]


def _prompt(text: str, conversation: Conversation, bos: str, eos: str) -> tuple[str, str]:
    try:
        return rendered(text, conversation, bos=bos, eos=eos), ""
    except RenderError as problem:
        return "", str(problem) or "it fails"


def _check(text: str) -> None:
    compiled(text)


_CALLS: dict[str, Callable[..., Any]] = {"prompts": _prompts, "check": _check}
