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
    known = words[:1] if words and words[0] in commands.VERBS else commands.VERBS
    prepare_streams()
    try:
        with reported():
            args = commands.parser(known).parse_args(words)
            args.run(args)
    except Exit as request:
        return request.status
    return 0
