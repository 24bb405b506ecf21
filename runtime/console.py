"""Output for people: lines of four kinds on stderr, exceptions as such lines, sizes in words."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from runtime.errors import InputError

_RED, _YELLOW, _CYAN, _BOLD, _RESET = (
    "\033[31;1m", "\033[33;1m", "\033[36m", "\033[1m", "\033[0m",
)  # fmt: skip


def _colour(code: str, text: str) -> str:
    """Coloured text, on a terminal without NO_COLOR (https://no-color.org)."""
    if os.environ.get("NO_COLOR") or not sys.stderr.isatty():
        return text
    return f"{code}{text}{_RESET}"


def error(message: str, tip: str = "") -> None:
    """Print one `ERROR` line, and one `TIP` line if there is a tip."""
    print(f"{_colour(_RED, 'ERROR')} {_line(message)}", file=sys.stderr)
    if tip:
        print(f"{_colour(_CYAN, 'TIP')} {_line(tip)}", file=sys.stderr)


def warning(message: str) -> None:
    """Print one `WARNING` line."""
    print(f"{_colour(_YELLOW, 'WARNING')} {_line(message)}", file=sys.stderr)


def note(message: str) -> None:
    """Print one line of information about work in progress."""
    print(_colour(_BOLD, _line(message)), file=sys.stderr)


def printable(text: str) -> str:
    """Text from others, with control characters replaced."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def show(text: str) -> None:
    """Print text from others unchanged; on a terminal without control characters."""
    if sys.stdout.isatty():
        pieces = re.split(r"([\n\t])", text)
        shown = "".join(one if one in "\n\t" else printable(one) for one in pieces)
        print(shown, end="" if shown.endswith("\n") else "\n")
    else:
        sys.stdout.buffer.write(text.encode(errors="replace"))


def _line(text: str) -> str:
    # Names of files, and messages of others, may have several lines.
    return printable(text.replace("\n", " "))


_TIPS = {
    errno.EACCES: "Check the permissions there, or choose another place.",
    errno.EDQUOT: "Your quota is used up: free some space, or write to another disk.",
    errno.EFBIG: "The file system or `ulimit -f` does not allow a file of this size: write to "
    "another disk.",
    errno.EIO: "The disk or the connection to it fails: try another one.",
    errno.EISDIR: "Remove that folder if nothing needs it, or choose another name.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
    errno.ENOENT: "Check the path.",
    errno.ENOSPC: "Free some space, or write to another disk.",
    errno.ENOTDIR: "Check the path.",
    errno.EPERM: "Check the permissions there, or choose another place.",
    errno.EROFS: "That file system is read-only: write to another one.",
}


class Exit(Exception):
    """Ask the command line to end with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@contextmanager
def reported() -> Iterator[None]:
    """Turn errors that the user can fix into an `ERROR` line; let others through.

    stdout has been flushed when this returns.

    Raises:
        Exit: with status 1 after an `InputError`, an `OSError` or Ctrl-C.
    """
    try:
        yield
        sys.stdout.flush()
    except InputError as problem:
        error(problem.message, problem.tip)
        raise Exit(1) from None
    except BrokenPipeError:
        # The reader of our stdout went away (`llamapack inspect F | head -1`): not a failure.
        raise Exit(0) from None
    except OSError as problem:
        where = f"{problem.filename}: " if problem.filename else ""
        error(f"{where}{problem.strerror or problem}", _TIPS.get(problem.errno or 0, ""))
        raise Exit(1) from None
    except KeyboardInterrupt:
        error("interrupted", "No half-written file was left; run the command again.")
        raise Exit(1) from None
    finally:
        _finish_stdout()


def confirmed(question: str) -> bool | None:
    """Ask a question that Enter answers with yes; None if there is no terminal."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    print(f"{_colour(_BOLD, question)} [Y/n] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("", "y", "yes")


def prepare_streams() -> None:
    """Open closed streams on devnull, and let stdout take names that are not valid text."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            _lead_nowhere(descriptor)
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8"))
    if isinstance(sys.stdout, io.TextIOWrapper):
        # The bytes of a file's name as they are, like `ls`; what another encoding lacks, by number.
        is_utf8 = sys.stdout.encoding.lower().replace("-", "") == "utf8"
        sys.stdout.reconfigure(errors="surrogateescape" if is_utf8 else "backslashreplace")


def _finish_stdout() -> None:
    """Redirect stdout to devnull after a broken pipe: Python's final flush would raise."""
    try:
        sys.stdout.flush()
    except OSError:
        _lead_nowhere(sys.stdout.fileno())


def _lead_nowhere(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != descriptor:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
    else:
        os.set_inheritable(descriptor, True)


def in_words(size: int) -> str:
    """A size for people, with a decimal unit."""
    for unit, scale in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:,.1f} {unit}"
    return f"{size} bytes"
