"""`llamapack split`: cuts a file into parts that hosts accept, with a list of their hashes."""

from __future__ import annotations

import argparse
from pathlib import Path

from packer.commands import Subparsers
from packer.io.console import note
from packer.io.sizes import PART_SIZE, in_words, parse_size
from runtime.errors import InputError, shell_word


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser("split", help="cut a bundle into parts that hosts accept")
    parser.add_argument("file", type=Path, metavar="FILE", help="bundle; not changed")
    parser.add_argument(
        "--size",
        type=parse_size,
        default=PART_SIZE,
        help="size of every part but the last, such as 1.9GiB; default: 50GB",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR|PREFIX",
        help="folder for the parts, or the beginning of their names; default: FILE",
    )
    parser.add_argument("--force", action="store_true", help="replace parts that exist")
    parser.add_argument("-q", "--quiet", action="store_true", help="print the paths only")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:

    from packer.io.output_place import output_place
    from packer.parts.splitting import split

    path: Path = args.file
    if path.is_file() and path.stat().st_size <= args.size:
        raise InputError(
            f"{path} has {path.stat().st_size:,} bytes and fits into one part of {args.size:,}",
            "Publish it as it is, or choose a smaller `--size`.",
        )
    with output_place(args.output) as place:
        files = split(path, place.file(path), args.size, force=args.force)
    for file in files:
        print(file)
    if not args.quiet:
        *parts, sums = files
        note(
            f"{path}: {in_words(path.stat().st_size)} in {len(parts)} parts; publish them with "
            f"{sums.name}. `llamapack join {shell_word(parts[0])}` or `cat` joins them"
        )
