"""Default arguments in a bundle: the member `.args`.

Format: docs/bundle-format.md, section `.args`. The engine has its own parser of the same rules,
native/engine/words.cpp; tests/native/test_words.py compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from runtime.errors import InputError

USER_WORDS = "..."
"""The word that marks where the user's own words go."""

_BLANKS = " \t\r\n"
_VARIABLE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-][A-Za-z0-9_@%+=:,./#-]*", re.ASCII)


_UNEXPANDED: Mapping[str, str] = {}
"""Where every variable stays as it is written, whatever is set here."""


def parse(text: str, environment: Mapping[str, str] = _UNEXPANDED) -> list[str]:
    """Split `text` into words.

    Args:
        text: the contents of a `.args` file.
        environment: what `$NAME` stands for; an unset name is empty. By default it stays.

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
    position = 0
    while position < len(text):
        if text[position] in _BLANKS:
            position += 1
        elif text[position] == "#":
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
        else:
            word, position = _word(text, position, environment)
            yield word, position


def merge(words: Sequence[str], user: Sequence[str]) -> list[str]:
    """Join a bundle's words with the user's, which go to the first `...`, or else to the end."""
    if USER_WORDS not in words:
        return [*words, *user]
    place = words.index(USER_WORDS)
    rest = [word for word in words[place:] if word != USER_WORDS]
    return [*words[:place], *user, *rest]


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
        elif char in _BLANKS and not quoted:
            break
        else:
            pieces.append(char)
            position += 1
    if quoted:
        raise _open('"')
    return "".join(pieces), position


def _open(mark: str) -> InputError:
    return InputError(
        f"a {mark} in the arguments is never closed", f"Write it as `\\{mark}` if it is meant so."
    )
