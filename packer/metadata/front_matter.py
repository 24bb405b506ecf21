"""The YAML at the start of a model card: read within limits, as the Hub reads it, and written.

Form: a block between two lines `---` at the start of `README.md`, YAML 1.2 (so `no` is Norwegian).
A card that quotes another one has the other's block further down.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from packer.metadata.fields import FIELDS, is_empty
from runtime.errors import InputError

_VALUES = 40_000  # in a card: aliases make billions from a few lines
_NODES = 40_000  # in its text, also keys
_BLOCK_NODES = 20  # a block costs as much
_TEXT = 1 << 19  # characters of YAML
_NUMBER = 100  # characters; Python takes quadratic time for numbers of base 60
_DEPTH = 50

_BY_FALSE_TAGS = (AttributeError, IndexError, KeyError)
"""Errors of PyYAML for `!!int ''`, `!!bool maybe` or `!!timestamp x`."""

_TOP = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_BLOCK = re.compile(r"^---[ \t]*\r?\n(.*?)(?=^---[ \t]*\r?$)", re.DOTALL | re.MULTILINE)
_TELLING = {"base_model", "inference", "library_name", "license", "pipeline_tag", "widget"}
"""A block further down has one of these names; else it is prose between two rules."""


def front_matter(card: str, name: str) -> dict[str, Any]:
    """The facts that a card states, as JSON values; empty if it states none. Raises InputError if
    the YAML of the card, called `name`, is broken or exceeds the limits."""
    bounds = _Bounds(name)
    if top := _TOP.match(card):
        return _mapping(top[1], bounds)
    for block in _quoted(card):
        try:
            found = _mapping(block, bounds)
        except InputError:
            if bounds.reached:
                break
            continue
        if _TELLING & found.keys():
            return found
    return {}


def write(fields: Mapping[str, Any]) -> str:
    """The block with the known fields, between its two lines of `---`."""
    known = {name: fields[name] for name in FIELDS if not is_empty(fields.get(name))}
    text = yaml.dump(known, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**31)
    return f"---\n{text}---\n"


def without(card: str) -> str:
    """The text of a card after its front matter."""
    return _TOP.sub("", card, count=1).strip("\n") + "\n"


def parsed(text: str, name: str) -> Any:
    """One YAML value as a JSON value. Raises InputError if it is broken, or too large."""
    return _parsed(text, _Bounds(name))


class _Bounds:
    """How much of one card is read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.reached = False
        self._left = {"characters": _TEXT, "nodes": _NODES, "values": _VALUES}

    def take(self, kind: str, count: int = 1) -> None:
        """Count, and raise an `InputError` at the limit."""
        self._left[kind] -= count
        if self._left[kind] < 0:
            self.reached = True
            raise self.exceeded()

    def exceeded(self) -> InputError:
        return InputError(f"{self.name} states more than a card can", "Shorten its front matter.")


def _parsed(text: str, bounds: _Bounds) -> Any:
    bounds.take("characters", len(text))
    bounds.take("nodes", _BLOCK_NODES)
    loader = None
    try:
        # A subclass of SafeLoader: it makes plain values only.
        loader = _Loader(text, bounds)
        found = loader.get_single_data()
    except InputError:  # a limit; it is a ValueError, too
        raise
    except (yaml.YAMLError, ValueError, RecursionError, *_BY_FALSE_TAGS) as problem:
        mark = getattr(problem, "problem_mark", None)
        where = f", line {mark.line + 1} of its YAML" if mark else ""
        what = getattr(problem, "problem", None) or "it is not YAML"
        raise InputError(f"{bounds.name}{where}: {what}", "Correct the YAML.") from None
    finally:
        if loader:
            loader.dispose()
    return _plain(found, bounds)


def _mapping(text: str, bounds: _Bounds) -> dict[str, Any]:
    found = _parsed(text, bounds)
    return found if isinstance(found, dict) else {}


def _quoted(card: str) -> Iterator[str]:
    position = 0
    # The line that ends one block may begin the next.
    while block := _BLOCK.search(card, position):
        yield block[1]
        position = block.end()


class _Loader(yaml.SafeLoader):
    """YAML with the booleans of version 1.2, and no dates."""

    def __init__(self, text: str, bounds: _Bounds) -> None:
        super().__init__(text)
        self._bounds = bounds

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Make the next node from events, unless there were too many."""
        self._bounds.take("nodes")
        node = super().compose_node(parent, index)
        if isinstance(node, yaml.ScalarNode) and len(node.value) > _NUMBER and node.tag in _NUMBERS:
            raise ValueError("a number has more digits than any has")
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Put the mapping that `<<` names into a mapping."""
        super().flatten_mapping(node)
        # A merge copies the pairs of an alias before anything counts its values.
        self._bounds.take("values", len(node.value))


_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_OTHERS = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _OTHERS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    _OTHERS[0], re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF")
)


def _plain(found: Any, bounds: _Bounds, depth: int = 0) -> Any:
    """The values of YAML as JSON values."""
    bounds.take("values")
    if depth > _DEPTH:
        raise bounds.exceeded()
    if isinstance(found, dict):
        return {_text(key): _plain(one, bounds, depth + 1) for key, one in found.items()}
    if isinstance(found, list | set):
        return [_plain(one, bounds, depth + 1) for one in found]
    if found is None or isinstance(found, bool | int):
        return found
    return found if isinstance(found, float) and math.isfinite(found) else _text(found)


def _text(value: Any) -> str:
    """As text that has a form in UTF-8: YAML can spell half of a surrogate pair."""
    return str(value).encode(errors="replace").decode()


# YAML takes some of these for line ends.
_OTHER_BLANKS = re.compile(r"[^\S\n ]")


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such."""


def _represented(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if _OTHER_BLANKS.search(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represented)
