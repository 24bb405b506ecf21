"""The `llamapack` command: wires verbs to their files under `commands/`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

from packer import __version__, commands
from packer.console import Exit, reported
from runtime import streams


def parser(names: Iterable[str] = commands.VERBS) -> argparse.ArgumentParser:
    """The command line with the sub-commands of these names; by default with all."""
    top = argparse.ArgumentParser(
        prog="llamapack",
        description="Packs a portable llama.cpp runtime and GGUF weights into one file that runs.",
    )
    top.add_argument("--version", action="version", version=f"llamapack {__version__}")
    verbs = top.add_subparsers(metavar="COMMAND", required=True)
    for name in names:
        commands.load(name).register(verbs)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 failed, 2 wrong usage."""
    words = sys.argv[1:] if argv is None else argv
    known = words[:1] if words and words[0] in commands.VERBS else commands.VERBS
    streams.prepare()
    try:
        with reported():
            args = parser(known).parse_args(words)
            args.run(args)
    except Exit as request:
        return request.status
    return 0
