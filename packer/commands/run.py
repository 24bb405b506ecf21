"""`llamapack run`: starts whatever holds a model, and `llamapack-run`, which does only that."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from packer.commands import Subparsers
from runtime.launch.archives import Tools

if TYPE_CHECKING:
    from runtime.machine.machine import Machine

_NO_PREFIX = "\0"  # so that argparse leaves every word alone: they are the engine's


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "run",
        help="start a bundle, its parts, a GGUF, a model of the Hub or a folder of models",
        prefix_chars=_NO_PREFIX,
        add_help=False,
    )
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="TARGET [FLAGS…]")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from packer.io.console import Exit

    status = main(args.words, program="llamapack run")
    if status:
        raise Exit(status)


def main(argv: Sequence[str] | None = None, *, program: str = "llamapack-run") -> int:
    """The launcher, with what only the packer can do: join parts, pack built engines."""
    from runtime.launch.cli import main as launch

    words = sys.argv[1:] if argv is None else argv
    return launch(words, program=program, tools=Tools(_engines, _join))


def _join(part: Path) -> Path:
    from packer.parts.in_place import join_in_place
    from runtime.formats.parts import part_name

    name = part_name(part.name)
    whole = part.with_name(name.whole if name else part.name)
    return join_in_place(part, whole, None, force=False)


def _engines(machine: Machine) -> Path | None:
    from packer.releases.engine_archive import of_built

    return of_built(machine)
