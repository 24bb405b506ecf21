"""Finds default arguments with which an engine would not start, by asking the engine itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from packer.engine.targets import for_this_machine
from runtime.args_file import merge
from runtime.errors import InputError

# Read after all options, and loads nothing: native/engine/main.cpp.
_HARMLESS = "--version"
_UNKNOWN = "ERROR unknown argument: "
_SECONDS = 20  # it takes 20 ms
_OURS = ("LLAMAPACK_", "LLAMA_ARG_")


def check_options(words: Sequence[str], engines: Mapping[str, Path]) -> None:
    """Find out whether an engine knows all options among default arguments.

    Args:
        words: of `.args`, variables not expanded: what they stand for is known to the user alone.
        engines: folders of the engines in question by target; those that do not run on this machine
            cannot be asked.

    Raises:
        InputError: it does not know one.
    """
    program = _program(engines) if words else None
    if program is None:
        return
    # The user's own words follow, or stand in place of `...`: they may be the value of an option.
    unknown = _unknown([str(program), _HARMLESS, *merge(words, [_HARMLESS])])
    if unknown is not None and "$" not in unknown:
        raise InputError(
            f"the default arguments have {unknown!r}, which the engine does not know",
            "`llamapack run MODEL --help` lists all options; a text with blanks needs quotes.",
        )


def _program(engines: Mapping[str, Path]) -> Path | None:
    try:
        here = for_this_machine()
    except InputError:
        return None
    return next((engines[one.name] / one.executable for one in here if one.name in engines), None)


def _unknown(command: Sequence[str]) -> str | None:
    """The word that an engine complains about, if it does."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None  # Whatever ails it is not to be found out here.
    lines = done.stderr.decode(errors="replace").splitlines()
    return next((line[len(_UNKNOWN) :] for line in lines if line.startswith(_UNKNOWN)), None)
