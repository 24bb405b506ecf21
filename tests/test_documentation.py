"""README, docs, help and messages: flags, files, targets that exist, in plain English."""

from __future__ import annotations

import ast
import functools
import os
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import in_process
from helpers.repository import REPOSITORY
from helpers.running import ENGINES

from ci.picture import PICTURE, draw
from packer import cli
from packer.commands import VERBS, parser
from packer.engines.targets import TARGETS

DOCS = REPOSITORY / "docs"
PAGES = [
    REPOSITORY / "README.md",
    *sorted((REPOSITORY / ".github").rglob("*.md")),
    *sorted(DOCS.rglob("*.md")),
]
ENGINE = tomllib.loads((REPOSITORY / "native" / "options.toml").read_text(encoding="utf-8"))
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(REPOSITORY)))


def rows_of_commands() -> list[str]:
    """The rows of the tables in docs/commands.md."""
    rows = re.findall(r"^\| `.*$", (DOCS / "commands.md").read_text(encoding="utf-8"), re.M)
    assert len(rows) > 15
    return rows


@functools.cache
def helps(*words: str) -> str:
    """What a verb says of itself and of its actions."""
    command = [*words, "--help"]
    done = in_process.run(lambda: cli.main(command), command, cwd=None, environment=os.environ)
    actions = (
        re.findall(r"^    ([a-z-]+) {2,}", done.stdout, re.M) if " ACTION " in done.stdout else []
    )
    return done.stdout + "".join(helps(*words, action) for action in actions)


@pytest.mark.parametrize("row", rows_of_commands(), ids=lambda row: row.split("`")[1].split()[0])
def test_flags_of_commands(row: str) -> None:
    first_cell = re.split(r"(?<!\\)\|", row)[1]
    named = {code.split()[0] for code in re.findall(r"`([^`]+)`", first_cell) if code[0] != "-"}
    known = "".join(helps(verb) for verb in named)
    assert known
    flags = re.findall(r"--[a-z][a-z-]*", row)
    assert [flag for flag in flags if not re.search(rf"{flag}(?![a-z-])", known)] == []


def test_flags_of_pack() -> None:
    """Their page names all of them, and no others."""
    text = (DOCS / "packing.md").read_text(encoding="utf-8")
    section = text.partition("## Flags of pack\n")[2].partition("\n## ")[0]
    documented = re.findall(r"--[a-z][a-z-]*", section.replace("`--recompile`", ""))
    usage = helps("pack").partition("\n\n")[0]
    assert set(documented) == set(re.findall(r"--[a-z][a-z-]*", usage))
    rows = dict(re.findall(r"^\| ([a-z ]+) \| (.*) \|$", section, re.M))
    for title, flags in rows.items():
        if title != "for":
            group = helps("pack").partition(f"\n\n{title}:\n")[2].partition("\n\n")[0]
            ways = re.findall(r"^  (-.*?)(?:  |$)", group, re.M)
            named = set(re.findall(r"`(--?[a-z][a-z-]*)", flags.replace("`--recompile`", "")))
            assert ways, title
            assert [one for one in ways if not named & set(one.replace(",", "").split())] == []
            assert named <= set(re.findall(r"--?[a-z][a-z-]*", " ".join(ways)))


def test_every_command_has_its_row_and_one_group() -> None:
    first_cells = "".join(row.partition(" | ")[0] for row in rows_of_commands())
    assert {code.split()[0] for code in re.findall(r"`([a-z][^`]*)`", first_cells)} == set(VERBS)
    groups = re.findall(r"^([A-Z][a-z]+):\n((?:  .*\n)+)", helps(), re.M)
    assert [name for name, _ in groups] == ["Make", "Look", "Run", "Share", "Engines"]
    listed = [verb for _, lines in groups for verb in re.findall(r"^  ([a-z]+)", lines, re.M)]
    assert sorted(listed) == sorted(VERBS)
    files = (REPOSITORY / "packer" / "commands").glob("[a-z]*.py")
    assert sorted(path.stem for path in files) == sorted(VERBS)


@every_page
def test_links(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)]+)\)", text):
        if link.startswith("https://"):
            continue
        name, _, section = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not section or section in sections(target), link


def sections(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


def command_lines(page: Path) -> list[list[str]]:
    """The words of each line in the page's blocks of shell that starts llamapack or a bundle."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.M | re.S)
    text = re.sub(
        r"^ *[A-Z_]+=(\$\([^)]*\)|\S*) ", "", "".join(blocks).replace("\\\n", " "), flags=re.M
    )
    split = [shlex.split(line, comments=True) for line in text.splitlines()]
    program = re.compile(r"llamapack$|\./.*\.llamafile$")
    return [words for words in split if words and program.match(words[0])]


@every_page
def test_commands_are_understood(page: Path) -> None:
    """By llamapack's own parser; options of bundles are among those that the engine has."""
    known = {name for names in ENGINE["options"] for name in names.split()}
    for program, *words in command_lines(page):
        end = next((at for at, word in enumerate(words) if word in (">", "|", "2>", "&")), None)
        if program == "llamapack":
            try:
                parser().parse_args(words[:end])
            except SystemExit:
                pytest.fail(shlex.join([program, *words]))
        else:
            options = {word for word in words[:end] if re.match(r"--?[a-z]", word)}
            assert options <= known, words


def test_the_picture_in_readme_is_current() -> None:
    assert PICTURE.read_text(encoding="utf-8") == draw(), "run `python -m ci.picture`"
    assert "](docs/bundle.svg)" in PAGES[0].read_text(encoding="utf-8")


def test_the_table_of_platforms() -> None:
    """It has every target and its oldest system, and claims no more than what the tests start."""
    table = (DOCS / "platforms.md").read_text(encoding="utf-8").partition("## Targets")[2]
    rows: dict[str, tuple[str, str]] = {}
    for line in table.splitlines():
        if line.startswith("| `"):
            names, floor, _, status = (cell.strip() for cell in line.strip("|").split("|"))
            rows |= dict.fromkeys(re.findall(r"`([a-z0-9_-]+)`", names), (floor, status))
    assert set(rows) == set(TARGETS)
    assert [name for name in rows if not rows[name][0].startswith(TARGETS[name].floor)] == []
    started = {name for name, (_, status) in rows.items() if status.startswith("run in CI")}
    assert started == set(ENGINES)
    assert {rows[name][1] for name in rows.keys() - started} == {"structure checked"}


# The forms that docs/style.md bans.
BANNED = re.compile(
    r"(?<!there )\b(?:is|are|was|were) no (?!longer)|\bmend(?:s|ed)?\b|\bbesides\b"
    r"|\bone's own\b|\b(?:lie|lies|lay|lying)\b|\bstands?\b(?! for|-in)"
    r"|\bthat (?:is|are) there\b|\bwhat is there\b|\bwho asks\b|\bthose (?:that|who|which)\b"
    r"|\b(?:simply|just|please|successfully)\b",
    re.IGNORECASE,
)


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each literal that is not a docstring: messages, tips, help."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and id(node) not in docstrings:
            yield node.lineno, text


@every_page
def test_pages_are_in_plain_english(page: Path) -> None:
    lines = [] if page.name == "style.md" else page.read_text(encoding="utf-8").splitlines()
    assert [f"{at}: {line}" for at, line in enumerate(lines, 1) if BANNED.search(line)] == []


def test_messages_and_help_are_in_plain_english() -> None:
    modules = [
        path
        for folder in ("packer", "runtime", "ci")
        for path in sorted((REPOSITORY / folder).rglob("*.py"))
        if "demo_model" not in path.parts  # its texts are what people say to the demo model
    ]
    assert len(modules) > 100
    assert [
        f"{path.relative_to(REPOSITORY)}:{line}: {text!r}"
        for path in modules
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
def test_the_banned_forms(text: str, is_banned: bool) -> None:
    assert bool(BANNED.search(text)) == is_banned
