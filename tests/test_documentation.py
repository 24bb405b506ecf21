"""README and docs name flags, files and sections that exist, in plain English."""

from __future__ import annotations

import functools
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from helpers.repository import REPOSITORY

from packer.commands import parser

PAGES = [
    REPOSITORY / "README.md",
    *sorted((REPOSITORY / ".github").glob("*.md")),
    *sorted((REPOSITORY / "docs").rglob("*.md")),
]
ENGINE = tomllib.loads((REPOSITORY / "native" / "options.toml").read_text(encoding="utf-8"))


def rows_of_commands() -> list[str]:
    """The rows of the tables in docs/commands.md."""
    text = (REPOSITORY / "docs" / "commands.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `.*$", text, re.M)
    assert len(rows) > 15
    return rows


@functools.cache
def helps(*words: str) -> str:
    """What a verb says of itself and of its actions."""
    command = [sys.executable, "-m", "packer", *words, "--help"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
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
    text = (REPOSITORY / "docs" / "packing.md").read_text(encoding="utf-8")
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


def test_every_command_has_its_row() -> None:
    first_cells = "".join(row.partition(" | ")[0] for row in rows_of_commands())
    documented = {code.split()[0] for code in re.findall(r"`([a-z][^`]*)`", first_cells)}
    assert documented == verbs()


def verbs() -> set[str]:
    return {path.stem for path in (REPOSITORY / "packer" / "commands").glob("[a-z]*.py")}


def test_every_command_is_in_one_group() -> None:
    groups = re.findall(r"^([A-Z][a-z]+):\n((?:  .*\n)+)", helps(), re.M)
    assert [name for name, _ in groups] == ["Make", "Look", "Run", "Share", "Engines"]
    listed = [verb for _, lines in groups for verb in re.findall(r"^  ([a-z]+)", lines, re.M)]
    assert sorted(listed) == sorted(verbs())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)]+)\)", text):
        if link.startswith("https://"):
            continue
        name, _, section = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not section or section in sections(target), link


def command_lines(page: Path) -> list[list[str]]:
    """The words of each line in the page's blocks of shell that starts llamapack or a bundle."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.M | re.S)
    text = re.sub(
        r"^ *[A-Z_]+=(\$\([^)]*\)|\S*) ", "", "".join(blocks).replace("\\\n", " "), flags=re.M
    )
    split = [shlex.split(line, comments=True) for line in text.splitlines()]
    program = re.compile(r"llamapack$|\./.*\.llamafile$")
    return [words for words in split if words and program.match(words[0])]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
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


def sections(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}
