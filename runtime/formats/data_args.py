"""Arguments of a file that did not bring the engine: data, whose options about the model count.

The engine has the same rules in native/engine/options.cpp and members.cpp, and the same table,
native/options.toml.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Sequence

from runtime.errors import InputError
from runtime.formats.args_file import USER_WORDS, parse
from runtime.formats.bundle import Bundle
from runtime.formats.judged_options import JUDGED_OPTIONS
from runtime.formats.weights import ZIP


def refused(words: Sequence[str], members: Collection[str]) -> list[str]:
    """What an engine refuses of these words: options, and options with a file outside.

    Args:
        words: of `.args`, variables not expanded.
        members: names of the members of the file that has them.
    """
    return list(_refused([word for word in words if word != USER_WORDS], members))


def refused_of(bundle: Bundle) -> list[str]:
    """The same of a bundle's `.args`, as our engine reads it whatever program is in front."""
    try:
        return refused(parse(bundle.args), bundle.members)
    except InputError:
        return []  # as no engine can read it


def checked(bundle: Bundle) -> list[str]:
    """The words of a bundle's `.args`, for another file's engine: the user's come behind them.

    Raises:
        InputError: the bundle may not decide something that they say.
    """
    words = parse(bundle.args)
    if found := refused(words, bundle.members):
        raise InputError(
            f"{bundle.path}: its arguments have {', '.join(found)}, which a file of weights may "
            "not decide",
            "If you trust its author as you trust a program's: `--trust-args` obeys all of them.",
        )
    return [word for word in words if word != USER_WORDS]


def is_refused(name: str) -> bool:
    """Whether an option is not about the model; what nobody has judged is not.

    Args:
        name: with or without dashes.
    """
    spellings = (name, f"-{name}", f"--{name}")
    judged = next((JUDGED_OPTIONS[one] for one in spellings if one in JUDGED_OPTIONS), None)
    return judged is None or not judged.is_of_model


def outside(name: str, value: str, members: Collection[str]) -> list[str]:
    """The files that the value of an option names and that are not members."""
    judged = JUDGED_OPTIONS.get(name)
    parts = list_items(value) if judged and judged.is_list else [value]
    return [part for part in parts if not _is_inside(part, members)]


def list_items(value: str) -> list[str]:
    """The files of an option that takes several, as llama.cpp's `parse_csv_row` divides them."""
    return next(csv.reader([value.replace("\n", " ")], strict=False), [""])


def _refused(words: Sequence[str], members: Collection[str]) -> Iterator[str]:
    position = 0
    while position < len(words):
        name = words[position]
        if name.startswith("--"):
            name = name.replace("_", "-")
        judged = JUDGED_OPTIONS.get(name)
        if judged is None:
            yield name
            return  # what follows may be its value
        values = words[position + 1 : position + 1 + judged.values]
        position += 1 + judged.values
        if not judged.is_of_model or len(values) < judged.values:
            yield name
        elif judged.names_file:
            yield from (
                f"{name} {one}" for value in values for one in outside(name, value, members)
            )


def _is_inside(text: str, members: Collection[str]) -> bool:
    name = text.removeprefix(ZIP)
    return name in members or name.rpartition(":")[0] in members
