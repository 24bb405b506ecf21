"""`llamapack extract`: writes members of a bundle as files."""

from __future__ import annotations

import argparse
from pathlib import Path

from packer.commands import Subparsers


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser("extract", help="write members of a bundle as files")
    parser.add_argument("file", type=Path, metavar="FILE", help="bundle, or any other ZIP file")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="member, or folder of members; default: all"
    )
    parser.add_argument(
        "-C", "--directory", type=Path, default=Path(), metavar="DIR", help="folder for the files"
    )
    parser.add_argument("--force", action="store_true", help="replace files that exist")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from packer.bundle.extraction import chosen, extract
    from packer.io.console import progress
    from runtime.formats.bundle import Bundle

    with Bundle.open(args.file, old_names=True) as bundle:
        members = chosen(bundle, args.names)
        with progress("extracting", sum(member.size for member in members)) as advance:
            paths = extract(bundle, members, args.directory, force=args.force, advance=advance)
    for path in paths:
        print(path)
