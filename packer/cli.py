"""The `llamapack` command."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from packer import commands
from packer.io.console import Exit, reported
from runtime.console import prepare_streams


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 failed, 2 wrong usage."""
    words = sys.argv[1:] if argv is None else argv
    # The modules of all verbs take long to import, and most words need one of them or none.
    needed = {**{name: (name,) for name in commands.VERBS}, "--version": ()}
    known = needed.get(words[0] if words else "", commands.VERBS)
    prepare_streams()
    try:
        with reported():
            args = commands.parser(known).parse_args(words)
            args.run(args)
    except Exit as request:
        return request.status
    return 0
