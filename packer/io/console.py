"""What a person sees on stderr: messages and progress."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from runtime.console import Exit, error, note, printable, reported, show, warning

__all__ = [
    "Advance",
    "Exit",
    "error",
    "note",
    "printable",
    "progress",
    "reported",
    "show",
    "warning",
]


class Advance(Protocol):
    """Told about each finished piece of work."""

    def __call__(self, amount: int, /) -> object: ...


@contextmanager
def progress(label: str, total: int | None, unit: str = "B") -> Iterator[Advance]:
    """Show a bar on stderr, if that is a terminal, while the body runs. `unit` is `B` for bytes, or
    a word such as `step`; `total` is None if unknown."""
    # Not at the top: it takes longer to import than `inspect` takes altogether.
    from tqdm import tqdm

    bar = tqdm(
        total=total,
        desc=label,
        unit=unit,
        unit_scale=unit == "B",
        disable=not sys.stderr.isatty(),
        leave=False,
        file=sys.stderr,
        dynamic_ncols=True,
    )
    with bar:
        yield bar.update
