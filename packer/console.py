"""What a person sees on stderr: ERROR, TIP and NOTE lines, and how exceptions become them."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from runtime.errors import InputError

_RED, _CYAN, _BOLD, _RESET = "\033[31;1m", "\033[36m", "\033[1m", "\033[0m"


def _colour(code: str, text: str) -> str:
    """Colours only for a terminal that did not ask for none (https://no-color.org)."""
    if os.environ.get("NO_COLOR") or not sys.stderr.isatty():
        return text
    return f"{code}{text}{_RESET}"


def error(message: str, tip: str = "") -> None:
    """Print one `ERROR` line and, if there is a way out, one `TIP` line."""
    print(f"{_colour(_RED, 'ERROR')} {message}", file=sys.stderr)
    if tip:
        print(f"{_colour(_CYAN, 'TIP')} {tip}", file=sys.stderr)


def note(message: str) -> None:
    """Print one line of information about work in progress."""
    print(_colour(_BOLD, message), file=sys.stderr)


def printable(text: str) -> str:
    """Text of others, without what would steer a terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


_TIPS = {
    errno.EACCES: "Check the permissions, or write somewhere else with `-o`.",
    errno.EDQUOT: "Your quota is used up: free some space, or write to another disk.",
    errno.EFBIG: "The file system or `ulimit -f` allows no file as large: write to another disk.",
    errno.EIO: "The disk or the connection to it fails: try another one.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
    errno.ENOENT: "Check the path.",
    errno.ENOSPC: "Free some space, or write to another disk.",
    errno.ENOTDIR: "Check the path.",
    errno.EPERM: "Check the permissions, or write somewhere else with `-o`.",
    errno.EROFS: "That file system is read-only: write to another one.",
}


class Exit(Exception):
    """Ask the command line to end with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@contextmanager
def reported() -> Iterator[None]:
    """Turn what the user can mend into an `ERROR` line; let everything unknown through.

    Raises:
        Exit: with status 1 after an `InputError`, an `OSError` or Ctrl-C.
    """
    try:
        yield
    except InputError as problem:
        error(problem.message, problem.tip)
        raise Exit(1) from None
    except BrokenPipeError:
        # The reader of our stdout went away (`llamapack inspect F | head -1`): not a failure.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise Exit(0) from None
    except OSError as problem:
        where = f"{problem.filename}: " if problem.filename else ""
        error(f"{where}{problem.strerror or problem}", _TIPS.get(problem.errno or 0, ""))
        raise Exit(1) from None
    except KeyboardInterrupt:
        error("interrupted", "No half-written file was left; run the command again.")
        raise Exit(1) from None
