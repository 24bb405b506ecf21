"""`llamapack ls`: lists the members of a bundle, or of any ZIP file."""

from __future__ import annotations

import argparse
from pathlib import Path

from packer.commands import Subparsers, print_json
from packer.io.console import printable


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser("ls", help="list the members of a bundle")
    parser.add_argument("file", type=Path, metavar="FILE", help="bundle, or any other ZIP file")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from runtime.formats.bundle import Bundle
    from runtime.formats.zip_directory import METHODS

    with Bundle.open(args.file, old_names=True) as bundle:
        members = list(bundle.members.values())
    if args.json:
        rows = [
            {
                "compressed_size": member.compressed_size,
                "method": METHODS.get(member.method, str(member.method)),
                "name": member.name,
                "size": member.size,
            }
            for member in members
        ]
        print_json(rows)
        return
    width = max((len(f"{member.size:,}") for member in members), default=0)
    for member in members:
        print(f"{member.size:>{width},}  {printable(member.name)}")
