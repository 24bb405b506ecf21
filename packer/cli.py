"""The `llamapack` command: wires verbs to their files under `commands/`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from packer import __version__, commands
from packer.console import Exit, reported


def parser() -> argparse.ArgumentParser:
    """The whole command line: one sub-command per module in `packer.commands.VERBS`."""
    top = argparse.ArgumentParser(
        prog="llamapack",
        description="Packs a portable llama.cpp runtime and GGUF weights into one file that runs.",
    )
    top.add_argument("--version", action="version", version=f"llamapack {__version__}")
    verbs = top.add_subparsers(metavar="COMMAND", required=True)
    for verb in commands.VERBS:
        verb.register(verbs)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 failed, 2 wrong usage."""
    args = parser().parse_args(sys.argv[1:] if argv is None else argv)
    try:
        with reported():
            args.run(args)
    except Exit as request:
        return request.status
    return 0
