"""The Jinja dialect of chat templates.

It is what `apply_chat_template` of transformers offers (its documentation of chat templates; the
tests compare with it), made lenient where llama.cpp v0.4.0 is (`common/jinja`): text joined to
nothing is that text, what is undefined has no members, lists may be changed. Templates come from
strangers, so they run in Jinja's sandbox, on copies.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from types import GeneratorType
from typing import Any

from jinja2 import ChainableUndefined, Template, TemplateError, Undefined, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment


class RenderError(Exception):
    """A template that is no Jinja, or that refuses a conversation; says why in one line."""


@contextmanager
def failing() -> Iterator[None]:
    """Turn whatever a template does wrong into a `RenderError`."""
    try:
        yield
    except RenderError:
        raise
    except MemoryError:
        raise RenderError("it takes too much memory to fill in") from None
    except TemplateError as problem:
        line = getattr(problem, "lineno", None)
        where = f"line {line}: " if line else ""
        raise RenderError(f"{where}{_one_line(problem)}") from problem
    except Exception as problem:  # a template is a program of strangers: it can fail in any way
        raise RenderError(f"{type(problem).__name__}: {_one_line(problem)}") from problem


def _one_line(problem: Exception) -> str:
    return " ".join(str(problem).split()) or type(problem).__name__


@lru_cache(maxsize=64)
def compiled(text: str) -> Template:
    """A template, ready to render.

    Raises:
        RenderError: it is no Jinja.
    """
    environment = _Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[_Generation, loopcontrols],
        undefined=ChainableUndefined,
    )
    environment.filters["tojson"] = _tojson
    environment.filters["safe"] = str  # nothing is escaped, so nothing is exempt
    del environment.globals["lipsum"]  # of no use here, and its length is for templates to say
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    with failing():
        return environment.from_string(text)


class _Environment(SandboxedEnvironment):
    intercepted_binops = frozenset("+")

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if isinstance(left, str) and _is_nothing(right):
            return left
        if isinstance(right, str) and _is_nothing(left):
            return right
        return super().call_binop(context, operator, left, right)


def _is_nothing(value: Any) -> bool:
    return value is None or isinstance(value, Undefined)


class _Generation(Extension):
    """`{% generation %}…{% endgeneration %}` marks what the model wrote; it prints its body."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller: Callable[[], str]) -> str:
        return caller()


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON without Jinja's HTML escapes."""
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
        default=_plain,
    )


def _plain(value: Any) -> Any:
    if isinstance(value, GeneratorType):  # what `map` and `select` give
        return list(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _raise_exception(message: object) -> None:
    """What templates call for a conversation that their model does not know."""
    raise TemplateError(str(message))


def _strftime_now(form: str) -> str:
    """The local time, in the form of `strftime`."""
    return datetime.now().strftime(form)
