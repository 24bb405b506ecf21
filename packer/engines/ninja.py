"""Shows how far ninja is: a bar on a terminal, a line at each quarter elsewhere."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from packer.io.console import Advance, note, progress

STATUS = "[%f/%t] "
"""What `NINJA_STATUS` must be for `shown` to understand the lines."""

_SHORT = 3
"""Counts up to this many steps are not worth a display."""

_STEP = re.compile(r"\[(\d+)/(\d+)\] ")


def step(line: str) -> tuple[int, int] | None:
    """`(finished, total)` from a line of ninja's, or None if it is something else."""
    found = _STEP.match(line)
    return (int(found[1]), int(found[2])) if found else None


@contextmanager
def shown(label: str) -> Iterator[Callable[[str], None]]:
    """Give a function that is to be called with each line that ninja prints."""
    done, whole = 0, 0
    advance: Advance | None = None
    with ExitStack() as bar:

        def on_line(line: str) -> None:
            nonlocal done, whole, advance
            if not (numbers := step(line)):
                return
            finished, total = numbers
            # Before the build proper, ninja may count the few steps that bring its own plan up to
            # date; such a short count gives way to a longer one, and is not shown after it.
            if total > whole and total > _SHORT:
                bar.close()
                done, whole, advance = 0, total, _opened(bar, label, total)
            if advance and total == whole and finished > done:
                advance(finished - done)
                done = finished

        yield on_line


def _opened(bar: ExitStack, label: str, total: int) -> Advance:
    if sys.stderr.isatty():
        return bar.enter_context(progress(label, total, "step"))
    return _Quarters(label, total)


class _Quarters:
    """Says at 25, 50 and 75 per cent how far the work is."""

    def __init__(self, label: str, total: int) -> None:
        self._label, self._total, self._done, self._quarter = label, total, 0, 0

    def __call__(self, amount: int, /) -> None:
        self._done += amount
        quarter = 4 * self._done // self._total
        if self._quarter < quarter < 4:
            note(f"{self._label}: {quarter * 25} % ({self._done} of {self._total} steps)")
        self._quarter = max(quarter, self._quarter)
