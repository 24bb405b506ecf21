"""The types of values in a recipe: from TOML to what the flags of `pack` come to."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from packer.io.sizes import parse_size
from packer.metadata import sampling
from packer.metadata.model_metadata import NO_CARD
from packer.templates.origin import names
from packer.weights.selection import AUTO, NONE

_T = TypeVar("_T")

REMOTE = ("hf:", "http://", "https://")


def text(value: Any, _: Path) -> str:
    found = _typed(value, str, "a text")
    if "\0" in found:
        raise ValueError("a text without NUL, as arguments and paths are")
    return found


def switch(value: Any, _: Path) -> bool:
    return _typed(value, bool, "true or false")


def count(value: Any, _: Path) -> int:
    number = _typed(value, int, "a whole number")
    if isinstance(value, bool) or number < 0:
        raise ValueError("a whole number from 0 on")
    return number


def words(value: Any, folder: Path) -> str:
    """A list, or a text with commas."""
    return ",".join(_texts(value)) if isinstance(value, list) else text(value, folder)


def path(value: Any, folder: Path) -> Path:
    return folder / text(value, folder)


def source(value: Any, folder: Path) -> str:
    """What names weights or files; paths count from the recipe's folder."""
    word = text(value, folder)
    if not word:
        raise ValueError("the name of a file")
    return word if word.lower().startswith(REMOTE) else str(folder / word)


def sources(value: Any, folder: Path) -> list[str]:
    return [source(one, folder) for one in _listed(value)]


def projector(value: Any, folder: Path) -> str:
    return value if value in (AUTO, NONE) else source(value, folder)


def runtime(value: Any, folder: Path) -> Path:
    from packer.engines.other_runtimes import named_runtime

    return named_runtime(text(value, folder), folder)


def card(value: Any, folder: Path) -> str:
    return NO_CARD if value == NO_CARD else source(value, folder)


def template(value: Any, folder: Path) -> str:
    """The name of a template that comes with llamapack, or a file."""
    word = text(value, folder)
    return word if word in names() else source(value, folder)


def named(read: Callable[[Any, Path], str]) -> Callable[[Any, Path], list[str]]:
    """A table with a value for each model, by the name that it is served as."""

    def read_all(value: Any, folder: Path) -> list[str]:
        table = _typed(value, dict, "a table: a name for each model")
        return [f"{name}={read(one, folder)}" for name, one in table.items()]

    return read_all


def of_models(read: Callable[[Any, Path], str]) -> Callable[[Any, Path], list[str]]:
    """One value for the first model, or such a table."""

    def read_all(value: Any, folder: Path) -> list[str]:
        return named(read)(value, folder) if isinstance(value, dict) else [read(value, folder)]

    return read_all


def adapters(value: Any, folder: Path) -> list[str]:
    """Texts as `--lora` takes them, or tables with `file`, `scale` and `model`."""
    found = []
    for one in _listed(value):
        if not isinstance(one, dict):
            found.append(source(one, folder))
            continue
        scale = one.get("scale", 1)
        if not {"file"} <= one.keys() <= {"file", "scale", "model"} or not _is_number(scale):
            raise ValueError("adapters: files, or tables with `file` and a number `scale`")
        word = source(one["file"], folder)
        word = f"{word}:{scale}" if "scale" in one else word
        found.append(f"{text(one['model'], folder)}={word}" if "model" in one else word)
    return found


def settings(value: Any, folder: Path) -> list[sampling.Setting]:
    """What a recipe states is all that there is: it begins with `none`."""
    stated = [] if value == sampling.NONE else table(sampling.checked)(value, folder)
    return [(sampling.NONE, None), *stated]


def table(check: Callable[[str, Any], tuple[str, Any]]) -> Callable[[Any, Path], list[Any]]:
    """A table whose entries `check` looks at."""

    def read(value: Any, _: Path) -> list[Any]:
        return [check(*pair) for pair in _typed(value, dict, "a table").items()]

    return read


def choice(of: Iterable[str]) -> Callable[[Any, Path], str]:
    """One of these words."""
    known = tuple(of)

    def read(value: Any, _: Path) -> str:
        if value not in known:
            raise ValueError(f"one of {', '.join(known)}")
        return str(value)

    return read


def size(value: Any, _: Path) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("a size such as `1.9GiB`")
    try:
        return parse_size(str(value))
    except argparse.ArgumentTypeError:
        raise ValueError("a size such as `1.9GiB`") from None


def no_split(value: Any, _: Path) -> None:
    if value is not True:
        raise ValueError("true, or left out")


def _typed(value: Any, kind: type[_T], what: str) -> _T:
    if not isinstance(value, kind):
        raise ValueError(what)
    return value


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _texts(value: list[Any]) -> list[str]:
    return [_typed(one, str, "texts") for one in value]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
