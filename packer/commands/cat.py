"""`llamapack cat`: writes one member of a bundle to standard output."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from packer.commands import Subparsers


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser("cat", help="write a member of a bundle to standard output")
    parser.add_argument("file", type=Path, metavar="FILE", help="bundle, or any other ZIP file")
    parser.add_argument(
        "name", metavar="NAME", help="name of the member, as `llamapack ls` shows it"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from packer.bundle.extraction import contents, member_named
    from runtime.formats.bundle import Bundle

    with Bundle.open(args.file, old_names=True) as bundle:
        for piece in contents(bundle, member_named(bundle, args.name)):
            sys.stdout.buffer.write(piece)
        sys.stdout.flush()
