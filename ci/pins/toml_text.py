"""Changes values in a TOML file and leaves its comments and its order as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping


def replaced(text: str, section: str, key: str, value: str | int) -> str:
    """The text with another value for a key that it has.

    Raises:
        KeyError: it has no such section or key.
    """
    header = re.search(rf"^\[{re.escape(section)}\]$", text, re.MULTILINE)
    if not header:
        raise KeyError(section)
    following = re.compile(r"^\[", re.MULTILINE).search(text, header.end())
    end = following.start() if following else len(text)
    line = re.compile(rf'^({re.escape(key)} = )("[^"]*"|\d+)', re.MULTILINE)
    found = line.search(text, header.end(), end)
    if not found:
        raise KeyError(f"{section}.{key}")
    # What JSON makes of a string or a number means the same in TOML.
    return f"{text[: found.start(2)]}{json.dumps(value, ensure_ascii=False)}{text[found.end(2) :]}"


def with_section(text: str, section: str, values: Mapping[str, str | int]) -> str:
    """The text with other keys and values in a section; comments at its beginning stay.

    Raises:
        KeyError: it has no such section.
    """
    found = re.search(
        rf"^\[{re.escape(section)}\]\n(?:#.*\n)*((?:(?!\[|\n).*\n)*)", text, re.MULTILINE
    )
    if not found:
        raise KeyError(section)
    lines = (f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items())
    return f"{text[: found.start(1)]}{''.join(lines)}{text[found.end(1) :]}"
