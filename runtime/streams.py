"""Standard streams that take any text and whose end is not a failure."""

from __future__ import annotations

import io
import os
import sys

_STREAMS = ("stdin", "stdout", "stderr")  # by their descriptors


def prepare() -> None:
    """Make closed streams lead nowhere, and let the others take names that are not valid text."""
    for descriptor, name in enumerate(_STREAMS):
        if getattr(sys, name) is None:
            _lead_nowhere(descriptor)
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8"))
    if isinstance(sys.stdout, io.TextIOWrapper):
        # The bytes of a file's name as they are, like `ls`; what another encoding lacks, by number.
        is_utf8 = sys.stdout.encoding.lower().replace("-", "") == "utf8"
        sys.stdout.reconfigure(errors="surrogateescape" if is_utf8 else "backslashreplace")


def finish() -> None:
    """Redirect stdout to devnull after a broken pipe: Python's final flush would raise,
    with status 120."""
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
