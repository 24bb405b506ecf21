"""What a person sees on stderr: ERROR, TIP and NOTE lines, and how exceptions become them."""

from __future__ import annotations

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


class Exit(Exception):  # noqa: N818 - it is a request, not an error
    """Ask the command line to end with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@contextmanager
def reported() -> Iterator[None]:
    """Turn what the user can mend into an `ERROR` line; let everything unknown through.

    Raises:
        Exit: with status 1 after an `InputError` or `OSError`, 130 after Ctrl-C.
    """
    try:
        yield
    except InputError as problem:
        error(problem.message, problem.tip)
        raise Exit(1) from None
    except BrokenPipeError:
        # The reader of our stdout went away (`llamapack inspect F | head -1`); that is not a failure.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise Exit(0) from None
    except OSError as problem:
        where = f"{problem.filename}: " if problem.filename else ""
        error(f"{where}{problem.strerror or problem}")
        raise Exit(1) from None
    except KeyboardInterrupt:
        error("interrupted; nothing was left behind")
        raise Exit(130) from None
