"""`llamapack assimilate`: makes a native program for one system from an APE file."""

from __future__ import annotations

import argparse
from pathlib import Path

from packer.commands import Subparsers
from packer.io.console import note


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "assimilate",
        help="turn a bundle or another APE file into a native program",
        description="The result starts without a shell, on one system only. Members and weights "
        "stay as they are.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="bundle, or another APE file")
    parser.add_argument(
        "--target",
        required=True,
        metavar="T",
        help="system and architecture, such as `linux-x86_64`; files of other tools: Linux, "
        "FreeBSD, macOS on x86-64, Windows, if their head supports it",
    )
    parser.add_argument(
        "-o", "--output", metavar="OUT|DIR", help="write a copy; default: change FILE itself"
    )
    parser.add_argument("--force", action="store_true", help="replace OUT if it exists")
    parser.add_argument("-q", "--quiet", action="store_true", help="print the path only")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from packer.edit.assimilation import assimilate
    from packer.io.output_place import output_place

    with output_place(args.output) as place:
        made = place.file(args.file)
        copy = made if place.path else None
        changed = assimilate(args.file, args.target, copy, force=args.force)
    if not args.quiet:
        what = "a native program" if changed else "a program for Windows as it is"
        note(f"{made}: {what}, for {args.target}")
    print(made)
