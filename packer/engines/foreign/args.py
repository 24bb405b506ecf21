"""`.args` as llamafile and other programs of Cosmopolitan read it.

Two functions of its C library do. `LoadZipArgs`, of llamafile 0.8 and most other programs, takes
each line as it is: no quotes, escapes, comments or variables. `cosmo_args`, of llamafile since 0.9,
splits words as a shell does. Without a word `...`, which stands for the user's own arguments, the
former would put these in place of all the others. Facts: cosmopolitan's `tool/args/args.c` and
`cosmo_args`, and llamafile's `main.cpp`.
"""

from __future__ import annotations

import re
from enum import Enum

from packer.engines.foreign.version import numbers, program_version
from runtime.errors import InputError
from runtime.formats.args_file import USER_WORDS, parse, quote
from runtime.formats.bundle import Bundle

_SHELL_LIKE_SINCE = (0, 9)
_VARIABLE = re.compile(r"\0(\w+)\0")


class Dialect(Enum):
    """How a program reads its `.args`."""

    LINES = "one argument on each line, taken as it is"
    WORDS = "shell-like words"


class _Marked(dict[str, str]):
    """An environment that tells variables from text: no argument holds a NUL."""

    def get(self, key: str, default: object = None) -> str:
        return f"\0{key}\0"


def dialect(version: str | None) -> Dialect:
    """How the program reads `.args` that says it is this, such as `llamafile 0.9.3`."""
    return Dialect.WORDS if version and numbers(version) >= _SHELL_LIKE_SINCE else Dialect.LINES


def dialect_of(bundle: Bundle) -> Dialect:
    """How the program in a file that llamapack did not make reads `.args`."""
    return dialect(program_version(bundle.path, bundle.members.values(), bundle.size))


def ours(text: str, dialect: Dialect) -> str:
    """What `.args` of another program says, in the form of our own; as it is if that is the same.

    Args:
        dialect: in which `text` is.
    """
    if dialect is Dialect.WORDS:
        return text
    lines = [line for line in re.split("[\r\n]+", text) if line]
    quoted = "".join(f"{quote(line)}\n" for line in lines)
    return text if quoted.split("\n") == [*lines, ""] else quoted


def rewritten(text: str, into: Dialect) -> str:
    """Write what our own `.args` says in the program's form, one argument on each line.

    Args:
        text: shell-like words, as docs/bundle-format.md describes them.

    Raises:
        InputError: one of the words cannot be said so.
    """
    words = parse(text, _Marked())
    if USER_WORDS not in words:
        words.append(USER_WORDS)
    write = _quoted if into is Dialect.WORDS else _line
    return "".join(f"{write(word)}\n" for word in words)


def _quoted(word: str) -> str:
    # Not in double quotes, where a backslash stands for more than here.
    pieces = _VARIABLE.split(word)
    names = (f"${{{name}}}" for name in pieces[1::2])
    texts = [quote(piece) if piece else "" for piece in pieces[::2]]
    return texts[0] + "".join(map(str.__add__, names, texts[1:])) or "''"


def _line(word: str) -> str:
    shown = _VARIABLE.sub(r"$\1", word)
    if not word or any(mark in word for mark in "\n\r\0"):
        raise InputError(
            f"the argument {shown!r} cannot be in the `.args` of another runtime, which has one "
            "on each line, taken as it is",
            "Leave it out of `--args`.",
        )
    return word
