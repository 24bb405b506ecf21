"""Makes the engine's and the launcher's tables of options out of native/options.toml.

Usage: python -m ci.options
"""

from __future__ import annotations

import textwrap
import tomllib
from pathlib import Path
from typing import Any

from ci.tables import write

_READERS = {
    None: "nothing",
    "weights": "ggml_fopen",
    "reader": "own_reader",
    "text": "text_reader",
}
_HEADER = """\
// What native/options.toml says of each option, made by `python -m ci.options`.
#pragma once

#include <string>

// How upstream opens the file that an option names.
enum class opened_by {
    nothing,     // names no file
    ggml_fopen,  // our ggml_fopen finds the member
    own_reader,  // its own reader, from the start of a real file
    text_reader, // its own reader, the whole of a small file
};

struct judged_option {
    const char * name;
    bool         is_of_model; // a file of weights may say it
    opened_by    how;
    bool         is_list = false; // upstream divides the value at commas
};

static const judged_option JUDGED_OPTIONS[] = {
%s};

// An option that upstream removed, and what means the same today.
struct removed_option {
    const char * name;
    const char * option;
    const char * value;
    const char * value_off; // in a preset that switches it off; "": nothing
};

static const removed_option REMOVED_OPTIONS[] = {
%s};

static inline const judged_option * judged_option_find(const std::string & name) {
    for (const judged_option & one : JUDGED_OPTIONS) {
        if (name == one.name) {
            return &one;
        }
    }
    return nullptr;
}

static inline bool option_is_of_model(const std::string & name) {
    const judged_option * found = judged_option_find(name);
    return found && found->is_of_model;
}

static inline opened_by option_opened_by(const std::string & name) {
    const judged_option * found = judged_option_find(name);
    return found ? found->how : opened_by::nothing;
}

static inline bool option_is_list(const std::string & name) {
    const judged_option * found = judged_option_find(name);
    return found && found->is_list;
}
"""
_MODULE = '''\
"""What native/options.toml says of each option, made by `python -m ci.options`."""

from __future__ import annotations

from typing import NamedTuple


class JudgedOption(NamedTuple):
    """One spelling of an option."""

    is_of_model: bool
    """Whether a file of weights may say it."""
    values: int
    """How many words follow."""
    names_file: bool
    is_list: bool
    """Whether the engine divides the value at commas."""


_SPELLINGS = {
%s}
"""Spellings of options by the facts of `JudgedOption`."""

JUDGED_OPTIONS = {
    name: JudgedOption(*facts) for facts, names in _SPELLINGS.items() for name in names.split()
}
'''
_INDENT = " " * 8
_WRAPPER = textwrap.TextWrapper(
    100, initial_indent=_INDENT, subsequent_indent=_INDENT, break_on_hyphens=False
)
_C_WRAPPER = textwrap.TextWrapper(
    150, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
)


def made(folder: Path) -> dict[Path, str]:
    """The texts of the tables, by the files that hold them.

    Args:
        folder: `native` of a checkout.
    """
    rows = sorted(_rows(folder / "options.toml"))
    removed = "".join(
        f'    {{ "{name}", "{option}", "{value}", "{off}" }},\n'
        for name, (option, value, off) in _text(folder / "options.toml")["removed"].items()
    )
    header = (
        _C_WRAPPER.fill(
            " ".join(
                f'{{~"{name}",~{str(of_model).lower()},~opened_by::{_READERS[reader]}'
                f"{',~true' if is_list else ''}~}},"
                for name, of_model, _, reader, is_list in rows
            )
        ).replace("~", " ")
        + "\n"
    )  # a blank that is not to be a line's end
    spellings: dict[tuple[bool, int, bool, bool], list[str]] = {}
    for name, of_model, values, reader, is_list in rows:
        spellings.setdefault((of_model, values, bool(reader), is_list), []).append(name)
    module = "".join(
        f'    {facts}: """\n{_WRAPPER.fill(" ".join(names))}\n    """,\n'
        for facts, names in sorted(spellings.items())
    )
    return {
        folder / "engine" / "judged_options.h": _HEADER % (header, removed),
        folder.parent / "runtime" / "formats" / "judged_options.py": _MODULE % module,
    }


def _text(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text())


def _rows(path: Path) -> list[tuple[str, bool, int, str | None, bool]]:
    """Spelling, whether a file of weights may say it, number of values, reader, whether a list."""
    rows: list[tuple[str, bool, int, str | None, bool]] = []
    for spellings, (judgement, values, *reader) in _text(path)["options"].items():
        of_model = {"model": True, "ignored": True, "start": False}[judgement]
        for name in spellings.split():
            rows.append((name, of_model, values, reader[0] if reader else None, "list" in reader))
    return rows


if __name__ == "__main__":
    raise SystemExit(write("ci.options", __doc__, made))
