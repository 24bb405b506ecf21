"""Commands that messages name: llamapack takes them, and paths in them are words of a shell."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.repository import REPOSITORY

from packer import commands

COMMAND = re.compile(r"`llamapack ([a-z][^`]*)`")
EXPRESSION = re.compile(r"\{(\d+)\}")
PLAIN = re.compile(r"(?i)shell|word\(|^part$|target|name|kind|verb|failed|KIND")
"""Expressions that give one word of a shell: quoted, or from our own tables."""


def python_texts() -> Iterator[tuple[str, str, list[str]]]:
    """File, text with numbers for expressions, and the expressions."""
    for folder in ("packer", "runtime"):
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.JoinedStr):
                    text, found = "", []
                    for value in node.values:
                        if isinstance(value, ast.FormattedValue):
                            text += f"{{{len(found)}}}"
                            found.append(ast.unparse(value.value))
                        else:
                            text += str(getattr(value, "value", ""))
                    yield str(path.relative_to(REPOSITORY)), text, found
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield str(path.relative_to(REPOSITORY)), node.value, []


def native_texts() -> Iterator[tuple[str, str, list[str]]]:
    for path in sorted((REPOSITORY / "native").rglob("*.[ch]*")):
        if path.suffix in (".c", ".h", ".cpp"):
            yield str(path.relative_to(REPOSITORY)), path.read_text(errors="replace"), []


NAMED = [
    (place, found[1], expressions)
    for place, text, expressions in (*python_texts(), *native_texts())
    for found in COMMAND.finditer(text)
]


def subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def options(parser: argparse.ArgumentParser) -> set[str]:
    return {option for action in parser._actions for option in action.option_strings}


@pytest.fixture(scope="module")
def top() -> argparse.ArgumentParser:
    return commands.parser()


def test_many_are_found() -> None:
    assert len(NAMED) > 80
    assert {Path(place).parts[0] for place, _, _ in NAMED} == {"packer", "runtime", "native"}


@pytest.mark.parametrize(
    ("place", "command", "expressions"), NAMED, ids=[f"{p}: {c}" for p, c, _ in NAMED]
)
def test_the_command_exists(
    top: argparse.ArgumentParser, place: str, command: str, expressions: list[str]
) -> None:
    first, *words = command.split("|", maxsplit=1)[0].split()
    parser = subparsers(top)[first]
    while words and words[0] in subparsers(parser):
        parser = subparsers(parser)[words.pop(0)]
    if first != "run":  # whose options are the engine's
        assert {word for word in words if word.startswith("-")} <= options(parser) | {"--help"}
    for number in EXPRESSION.findall(command):
        assert PLAIN.search(expressions[int(number)]), "a path is not quoted"
