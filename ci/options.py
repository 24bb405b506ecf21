"""Makes the engine's and the launcher's tables of options out of native/options.toml.

Usage: python -m ci.options
"""

from __future__ import annotations

import argparse
import textwrap
import tomllib
from pathlib import Path

from packer.engines import native

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
};

static const judged_option JUDGED_OPTIONS[] = {
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


def main() -> int:
    argparse.ArgumentParser(prog="python -m ci.options", description=__doc__).parse_args()
    for path, text in made(native.directory()).items():
        path.write_text(text)
    return 0


def made(folder: Path) -> dict[Path, str]:
    """The texts of the tables, by the files that hold them.

    Args:
        folder: `native` of a checkout.
    """
    rows = sorted(_rows(folder / "options.toml"))
    header = "".join(
        f'    {{ "{name}", {str(of_model).lower()}, opened_by::{_READERS[reader]} }},\n'
        for name, of_model, _, reader in rows
    )
    spellings: dict[tuple[bool, int, bool], list[str]] = {}
    for name, of_model, values, reader in rows:
        spellings.setdefault((of_model, values, bool(reader)), []).append(name)
    module = "".join(
        f'    {facts}: """\n{_WRAPPER.fill(" ".join(names))}\n    """,\n'
        for facts, names in sorted(spellings.items())
    )
    return {
        folder / "engine" / "judged_options.h": _HEADER % header,
        folder.parent / "runtime" / "formats" / "judged_options.py": _MODULE % module,
    }


def _rows(path: Path) -> list[tuple[str, bool, int, str | None]]:
    """Spelling, whether a file of weights may say it, number of values, reader."""
    rows: list[tuple[str, bool, int, str | None]] = []
    for spellings, (judgement, values, *reader) in tomllib.loads(path.read_text())[
        "options"
    ].items():
        of_model = {"model": True, "ignored": True, "start": False}[judgement]
        for name in spellings.split():
            rows.append((name, of_model, values, reader[0] if reader else None))
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
