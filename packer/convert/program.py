"""Runs upstream's converter and quantizer: progress while they work, their reason if they fail."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from packer.engines import layout, logged
from packer.io.console import progress
from runtime.errors import InputError

_LONGEST = 240
_DONE = re.compile(r"Writing: +(?P<done>\d+)%|\[ *(?P<tensor>\d+)/ *(?P<tensors>\d+)\]")
_REASONS = re.compile(
    r"ERROR:[\w.-]+: ?(?P<logged>.+)"
    r"|(?:[\w.]+\.)?(?P<raised>\w*(?:Error|Exception): .+)"
    r"|llama_model_quantize: failed to quantize: (?P<quantizer>.+)"
    r"|.*(?P<failed>failed to (?:load|open|read) .+)"
)


class _Watched:
    """What its lines tell."""

    def __init__(self) -> None:
        self.percent = 0
        self.reason = ""

    def see(self, line: str) -> int:
        """Take a line; how many more per cent of the work are done."""
        if found := _REASONS.match(line.strip()):
            self.reason = next(filter(None, found.groups()))
        done = _DONE.search(line)
        if done is None:
            return 0
        before = self.percent
        if done["done"]:
            self.percent = int(done["done"])
        else:
            self.percent = 100 * int(done["tensor"]) // max(1, int(done["tensors"]))
        return max(0, self.percent - before)


def run(
    command: Sequence[str | Path],
    doing: str,
    name: str,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run one of them to its end.

    Args:
        doing: what it does, for people: `converting gemma`.
        name: of the log in the build cache.

    Raises:
        InputError: it failed; the message has its own reason.
    """
    log = layout.log(name)
    logged.start(log)
    watched = _Watched()
    with progress(doing, 100, "%") as advance:

        def see(line: str) -> None:
            advance(watched.see(line))

        try:
            logged.run(command, doing, log, env=env, cwd=cwd, on_line=see)
        except InputError as problem:
            if not watched.reason:
                raise
            reason = watched.reason[:_LONGEST].rstrip(".")
            raise InputError(f"{doing} failed: {reason}", problem.tip) from None
