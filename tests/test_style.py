"""Documentation, help and messages avoid the forms that docs/style.md bans."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.repository import REPOSITORY

BANNED = re.compile(
    r"(?<!there )\b(?:is|are|was|were) no (?!longer)|\bmend(?:s|ed)?\b|\bbesides\b"
    r"|\bone's own\b|\b(?:lie|lies|lay|lying)\b|\bstands?\b(?! for|-in)"
    r"|\bthat (?:is|are) there\b|\bwhat is there\b|\bwho asks\b|\bthose (?:that|who|which)\b"
    r"|\b(?:simply|just|please|successfully)\b",
    re.IGNORECASE,
)
PAGES = [
    REPOSITORY / "README.md",
    *sorted((REPOSITORY / ".github").rglob("*.md")),
    *sorted(set((REPOSITORY / "docs").rglob("*.md")) - {REPOSITORY / "docs" / "style.md"}),
]
# Its texts are what people say to the demo model.
MODULES = [
    path
    for folder in ("packer", "runtime", "ci")
    for path in sorted((REPOSITORY / folder).rglob("*.py"))
    if "demo_model" not in path.parts
]


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each literal that is not a docstring: messages, tips, help."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and id(node) not in docstrings:
            yield node.lineno, text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_pages(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    assert [
        f"{number}: {line}" for number, line in enumerate(lines, 1) if BANNED.search(line)
    ] == []


def test_messages_and_help() -> None:
    assert len(MODULES) > 100
    assert [
        f"{path.relative_to(REPOSITORY)}:{line}: {text!r}"
        for path in MODULES
        for line, text in texts(path)
        if BANNED.search(text)
    ] == []


@pytest.mark.parametrize(
    ("text", "is_banned"),
    [
        ("m.txt is no bundle", True),
        ("Mend its value.", True),
        ("which lies beside it", True),
        ("those that are missing", True),
        ("there is no engine", False),
        ("it is no longer used", False),
        ("stands for a variable", False),
    ],
)
def test_the_forms(text: str, is_banned: bool) -> None:
    assert bool(BANNED.search(text)) == is_banned
