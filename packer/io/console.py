"""What a person sees on stderr: messages and progress."""

from __future__ import annotations

import sys
import time
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


_SECONDS = 10
"""Between two lines of a log."""


class Advance(Protocol):
    """Told about each finished piece of work."""

    def __call__(self, amount: int, /) -> object: ...


@contextmanager
def progress(label: str, total: int | None, unit: str = "B") -> Iterator[Advance]:
    """Show amount, rate and time left on stderr while the body runs: as a bar on a terminal, as a
    line every 10 seconds elsewhere. `unit` is `B` for bytes, or a word such as `step`; `total` is
    None if unknown."""
    if not sys.stderr.isatty():
        yield _Lines(label, total, unit)
        return
    # Not at the top: it takes longer to import than `inspect` takes altogether.
    from tqdm import tqdm

    with tqdm(
        total=total,
        desc=label,
        unit=unit,
        unit_scale=unit == "B",
        leave=False,
        file=sys.stderr,
        dynamic_ncols=True,
    ) as bar:
        yield bar.update


class _Lines:
    """Progress in a log: `packing: 120.0 of 480.0 MB, 12.0 MB/s, 30 s left`."""

    def __init__(self, label: str, total: int | None, unit: str) -> None:
        self._label, self._total, self._unit = label, total, unit
        self._began = self._said = time.monotonic()
        self._done = 0

    def __call__(self, amount: int, /) -> None:
        self._done += amount
        now = time.monotonic()
        if now - self._said < _SECONDS:
            return
        self._said = now
        rate = self._done / (now - self._began)
        of = f" of {self._amount(self._total)}" if self._total else ""
        if self._unit == "B":
            of += f", {self._amount(rate)}/s"
        if self._total and rate:
            of += f", {self._left((self._total - self._done) / rate)} left"
        note(f"{self._label}: {self._amount(self._done)}{of}")

    def _amount(self, number: float) -> str:
        return f"{number / 1e6:,.1f} MB" if self._unit == "B" else f"{number:,.0f} {self._unit}s"

    @staticmethod
    def _left(seconds: float) -> str:
        return f"{seconds:,.0f} s" if seconds < 90 else f"{seconds / 60:,.0f} min"
