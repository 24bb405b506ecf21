"""The YAML in front of a model card, as the Hub reads it: plain data, whatever is in there.

Form: a block between two lines `---` at the start of `README.md`, YAML 1.2 (so `no` is Norwegian).
A card that quotes another one has that one's block further down.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

from runtime.errors import InputError

_VALUES = 20_000  # that a block may have: aliases make billions out of a few lines
_DEPTH = 50

_BY_FALSE_TAGS = (AttributeError, IndexError, KeyError)
"""What PyYAML comes to over `!!int ''`, `!!bool maybe` or `!!timestamp x`."""

_TOP = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_BLOCK = re.compile(r"^---[ \t]*\r?\n(.*?)(?=^---[ \t]*\r?$)", re.DOTALL | re.MULTILINE)
_TELLING = {"base_model", "inference", "library_name", "license", "pipeline_tag", "widget"}
"""A block further down is one of these names' at least, and not prose between two rules."""


def front_matter(card: str, name: str) -> dict[str, Any]:
    """What a card states of its model, as JSON values; empty if it states nothing.

    Args:
        name: what errors call the card.

    Raises:
        InputError: its YAML is broken, or holds more than a card can.
    """
    if top := _TOP.match(card):
        return _mapping(top[1], name) or {}
    for block in _quoted(card):
        try:
            found = _mapping(block, name)
        except InputError:
            continue
        if found and _TELLING & found.keys():
            return found
    return {}


def parsed(text: str, name: str) -> Any:
    """One YAML value as a JSON value.

    Raises:
        InputError: it is broken, or too large.
    """
    try:
        # A subclass of SafeLoader: it makes plain values only.
        found = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError, *_BY_FALSE_TAGS) as problem:
        mark = getattr(problem, "problem_mark", None)
        where = f", line {mark.line + 1} of its YAML" if mark else ""
        what = getattr(problem, "problem", None) or "it is no YAML"
        raise InputError(f"{name}{where}: {what}", "Mend the YAML.") from None
    return _Plain(name).value(found)


def _mapping(text: str, name: str) -> dict[str, Any] | None:
    found = parsed(text, name)
    return found if isinstance(found, dict) else None


def _quoted(card: str) -> Iterator[str]:
    position = 0
    # The line that ends one block may begin the next.
    while block := _BLOCK.search(card, position):
        yield block[1]
        position = block.end()


class _Loader(yaml.SafeLoader):
    """YAML with the booleans of version 1.2, and no dates."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Put what `<<` names into a mapping."""
        super().flatten_mapping(node)
        # A merge copies the pairs of an alias before anything counts its values.
        if len(node.value) > _VALUES:
            raise ValueError("a mapping has more pairs than a card can")


_OTHERS = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _OTHERS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    _OTHERS[0], re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF")
)


class _Plain:
    """Copies what YAML gives into JSON values, and counts them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._left = _VALUES

    def value(self, found: Any, depth: int = 0) -> Any:
        self._left -= 1
        if self._left < 0 or depth > _DEPTH:
            raise InputError(
                f"{self._name} states more than a card can", "Shorten its front matter."
            )
        if isinstance(found, dict):
            return {_text(key): self.value(one, depth + 1) for key, one in found.items()}
        if isinstance(found, list | set):
            return [self.value(one, depth + 1) for one in found]
        if found is None or isinstance(found, bool | int):
            return found
        return found if isinstance(found, float) and math.isfinite(found) else _text(found)


def _text(value: Any) -> str:
    """As text that has a form in UTF-8: YAML can spell half of a surrogate pair."""
    return str(value).encode(errors="replace").decode()
