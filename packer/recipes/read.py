"""Reads recipes, and completes them to the arguments of `pack`."""

from __future__ import annotations

import dataclasses
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from packer.bundle.request import PackRequest
from packer.io.console import note
from packer.io.data_folders import data_folder
from packer.recipes.fields import FIELDS, OF_THE_RUN, Field
from packer.recipes.values import REMOTE
from runtime.errors import InputError
from runtime.formats.user_text import decoded

FOLDER = data_folder("templates") / "recipes"

_LIMIT = 1 << 20  # bytes
_FILES = (
    "weights", "models", "args-file", "chat-template", "mmproj", "lora", "draft", "imatrix", "add",
    "card", "license", "runtime",
)  # fmt: skip
"""Keys whose texts name files."""


def names() -> list[str]:
    """Names of the recipes that come with llamapack."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def file_of(name: str) -> Path:
    """The file of a recipe: one of `names()`, or a path. Raises InputError if it is neither."""
    path = FOLDER / f"{name}.toml" if name in names() else Path(name)
    if not path.is_file():
        raise InputError(
            f"there is no recipe {name}", f"Name a file, or one of these: {', '.join(names())}."
        )
    return path


def read(path: Path) -> dict[str, Any]:
    """What a recipe says, by attribute of the command line. Raises InputError if it is not TOML, or
    has a key or value that `pack` does not know."""
    text, document = _document(path)
    stated: dict[str, tuple[Field, Any]] = {}
    known = {field.key: field for field in FIELDS}
    for key, value in document.items():
        where = f"{path}{_line(text, key)}"
        field = known.get(key)
        if field is None:
            raise InputError(f"{where}: a recipe has no key `{key}`", _keys(key))
        for other in (field.attribute, field.instead_of):
            if other in stated:
                raise InputError(
                    f"{where}: `{key}` and `{stated[other][0].key}` exclude each other",
                    "Leave one of the two out.",
                )
        try:
            stated[field.attribute] = field, field.read(value, path.parent)
        except InputError as problem:
            raise InputError(f"{where}: {problem.message}", problem.tip) from None
        except ValueError as problem:
            raise InputError(f"{where}: `{key}` must be {problem}", "Correct the recipe.") from None
    return {attribute: value for attribute, (_, value) in stated.items()}


def outside(path: Path) -> list[str]:
    """What a recipe names that is not in its folder: one of a stranger may name any file of the
    user's. Raises InputError if it is not TOML."""
    _, document = _document(path)
    named = [text for key in _FILES for text in _texts(document.get(key))]
    return [text for text in named if not _is_below(path.parent, text)]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)


def _is_below(folder: Path, text: str) -> bool:
    if text.lower().startswith(REMOTE) or "\0" in text:
        return True
    place = folder / text
    if not os.path.lexists(place):  # `FILE:MEMBER`, or an adapter with its scale
        place = folder / (text.rpartition(":")[0] or text)
    # Not `resolve`, which raises RuntimeError for links in a circle.
    return Path(os.path.realpath(place)).is_relative_to(os.path.realpath(folder))


def _document(path: Path) -> tuple[str, dict[str, Any]]:
    if path.stat().st_size > _LIMIT:
        raise InputError(f"{path} is too large for a recipe", "Give a TOML file.")
    try:
        text = decoded(path.read_bytes())
        return text, tomllib.loads(text)
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text", "Save it as UTF-8.") from None
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise InputError(f"{path}: {problem or 'too deep'}", "Correct the TOML.") from None


def _line(text: str, key: str) -> str:
    """`, line N` of a key or table at the top; nothing if it is written in an unusual way."""
    pattern = rf"^[ \t]*\[*[ \t]*[\"']?{re.escape(key)}[\"']?[ \t]*[=\].]"
    place = re.search(pattern, text, re.MULTILINE)
    return f", line {text.count(chr(10), 0, place.start()) + 1}" if place else ""


def _keys(wrong: str) -> str:
    keys = [field.key for field in FIELDS]
    near = get_close_matches(wrong.replace("_", "-").lower(), keys, 1)
    return f"Did you mean `{near[0]}`?" if near else f"The keys are {', '.join(keys)}."


_NAMES = frozenset(field.name for field in dataclasses.fields(PackRequest))


def completed(stated: Mapping[str, Any]) -> PackRequest:
    """The arguments of `pack`: the options of a command line, with those of its recipe, and
    defaults. Raises InputError if the recipe cannot be read."""
    recipe = {}
    if stated.get("recipe"):
        path = file_of(stated["recipe"])
        recipe = read(path)
        if path.parent != FOLDER and not stated.get("quiet") and (others := outside(path)):
            note(f"{path} takes files from outside its folder: {', '.join(others)}")
    found: dict[str, Any] = {flag.lstrip("-"): default for flag, default in OF_THE_RUN.items()}
    for field in FIELDS:
        name = field.attribute
        if field.adds_up:
            found[name] = [*recipe.get(name, ()), *stated.get(name, ())]
        elif name in recipe and field.instead_of not in stated:
            found[name] = recipe[name]
        else:
            found[name] = field.default
    lists = {field.attribute for field in FIELDS if field.adds_up}
    found.update({name: value for name, value in stated.items() if name not in lists})
    return PackRequest(**{name: value for name, value in found.items() if name in _NAMES})
