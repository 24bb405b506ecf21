"""Default arguments in a bundle, the member `.args`: its grammar, and what it may decide.

Format: docs/bundle-format.md, section `.args`. The engine has its own parser of the same rules,
native/engine/words.cpp; tests/native/test_words.py compares the two. To an engine that came with
another file, `.args` is data: only its options about the model count. The engine has the same rules
in native/engine/options.cpp and members.cpp, and the same table, native/options.toml.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from runtime.errors import InputError
from runtime.formats.judged_options import JUDGED_OPTIONS

if TYPE_CHECKING:
    from runtime.formats.bundle import Bundle

USER_WORDS = "..."
"""The word that is replaced by the user's words."""

ZIP = "/zip/"
"""Prefix of a member's name in an argument."""

BLANKS = " \t\r\n"
_VARIABLE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")
_RUN = re.compile(r"[^\"'\\$ \t\r\n]+")
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-][A-Za-z0-9_@%+=:,./#-]*", re.ASCII)


_UNEXPANDED: Mapping[str, str] = {}
"""Where every variable stays as it is written, whatever is set here."""


def parse(text: str, environment: Mapping[str, str] = _UNEXPANDED) -> list[str]:
    """Split the text of a `.args` file into words.

    Args:
        environment: values of `$NAME`; an unset name is empty. By default `$NAME` stays.

    Raises:
        InputError: as `words_and_ends`.
    """
    return [word for word, _ in words_and_ends(text, environment)]


def words_and_ends(
    text: str, environment: Mapping[str, str] = _UNEXPANDED
) -> Iterator[tuple[str, int]]:
    """The words of `text` as `parse` gives them, each with the position after it.

    Raises:
        InputError: a quote is not closed, or there is a NUL, which no argument can have.
    """
    if "\0" in text:
        raise InputError("the arguments contain a NUL byte", "Give a text of words.")
    position = 1 if text.startswith("\ufeff") else 0  # the mark that Windows' editors put first
    while position < len(text):
        if text[position] in BLANKS:
            position += 1
        elif text[position] == "#":
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
        else:
            word, position = _word(text, position, environment)
            yield word, position


def merge(words: Sequence[str], user: Sequence[str]) -> list[str]:
    """Put the user's words in place of the first `...` of a bundle's, or else at the end."""
    before, after = divide(words)
    return [*before, *user, *after]


def divide(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """A bundle's words before and after the user's, without `...`."""
    place = words.index(USER_WORDS) if USER_WORDS in words else len(words)
    return list(words[:place]), [word for word in words[place:] if word != USER_WORDS]


def quote(word: str) -> str:
    """Write `word` so that `parse` gives it back, unquoted where that is possible."""
    if _PLAIN.fullmatch(word):
        return word
    return "'" + word.replace("'", "'\\''") + "'"


def _word(text: str, position: int, environment: Mapping[str, str]) -> tuple[str, int]:
    """The word that begins at `position`, and the position after it."""
    pieces: list[str] = []
    quoted = False
    while position < len(text):
        char = text[position]
        if char == '"':
            quoted = not quoted
            position += 1
        elif char == "'" and not quoted:
            end = text.find("'", position + 1)
            if end < 0:
                raise _open("'")
            pieces.append(text[position + 1 : end])
            position = end + 1
        elif char == "\\" and position + 1 < len(text):
            pieces.append(text[position + 1])
            position += 2
        elif char == "$" and (variable := _VARIABLE.match(text, position)):
            name = variable[1] or variable[2]
            kept = environment is _UNEXPANDED
            pieces.append(variable[0] if kept else environment.get(name, ""))
            position = variable.end()
        elif char in BLANKS and not quoted:
            break
        else:
            run = _RUN.match(text, position)
            pieces.append(run[0] if run else char)
            position += len(pieces[-1])
    if quoted:
        raise _open('"')
    return "".join(pieces), position


def _open(mark: str) -> InputError:
    return InputError(
        f"a {mark} in the arguments is never closed", f"Write it as `\\{mark}` if it is meant so."
    )


def refused(words: Sequence[str], members: Collection[str]) -> list[str]:
    """The options, and files outside, that an engine refuses in another file's arguments.

    Args:
        words: of `.args`, variables not expanded.
        members: names of the members of the file that contains it.
    """
    found: list[str] = []
    rest = iter(word for word in words if word != USER_WORDS)
    for word in rest:
        name = word.replace("_", "-") if word.startswith("--") else word
        judged = JUDGED_OPTIONS.get(name)
        if judged is None:
            return [*found, name]  # the next word may be its value
        values = list(islice(rest, judged.values))
        if not judged.is_of_model or len(values) < judged.values:
            found.append(name)
        elif judged.names_file:
            # Upstream divides the value at commas.
            files = (
                file
                for value in values
                for file in (list_items(value) if judged.is_list else [value])
            )
            found += [f"{name} {file}" for file in files if not _is_inside(file, members)]
    return found


def refused_of(bundle: Bundle) -> list[str]:
    """As `refused`, of a bundle's `.args`; nothing where it cannot be parsed."""
    try:
        return refused(parse(bundle.args), bundle.members)
    except InputError:
        return []


def data_words(bundle: Bundle) -> list[str]:
    """The words of a bundle's `.args` for another file's engine; the user's come after them.

    Raises:
        InputError: they contain an option that the bundle may not decide.
    """
    words = parse(bundle.args)
    if found := refused(words, bundle.members):
        raise InputError(
            f"{bundle.path}: its arguments have {', '.join(found)}, which a file of weights may "
            "not decide",
            "If you trust its author as you trust a program's: `--trust-args` obeys all of them.",
        )
    return [word for word in words if word != USER_WORDS]


def list_items(value: str) -> list[str]:
    """The files of an option that takes several, as llama.cpp's `parse_csv_row` divides them."""
    return next(csv.reader([value.replace("\n", " ")], strict=False), [""])


def is_refused(name: str) -> bool:
    """Whether an option, with or without dashes, is not about the model or not in the table."""
    spellings = (name, f"-{name}", f"--{name}")
    judged = next((JUDGED_OPTIONS[one] for one in spellings if one in JUDGED_OPTIONS), None)
    return judged is None or not judged.is_of_model


def _is_inside(file: str, members: Collection[str]) -> bool:
    name = file.removeprefix(ZIP)
    return name in members or name.rpartition(":")[0] in members
