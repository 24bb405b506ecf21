"""`llamapack join`: makes one file of its parts, after looking at every byte of them."""

from __future__ import annotations

import argparse
from pathlib import Path

from packer.commands import Subparsers
from packer.io.console import note
from packer.io.sizes import in_words
from runtime.errors import InputError


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser("join", help="join the parts of a bundle and check them")
    parser.add_argument(
        "parts",
        nargs="+",
        type=Path,
        metavar="PART0",
        help="any part, `NAME.llamafile.cat0` or `NAME.cat0.llamafile`; the others are found in "
        "its folder",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE|DIR",
        help="output file or folder; default: NAME.llamafile in the folder of the parts",
    )
    parser.add_argument(
        "--in-place",
        action="store_true",
        help="turn the parts into the file, without space for a copy; after an interruption, run "
        "it again",
    )
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")
    parser.add_argument("-q", "--quiet", action="store_true", help="print the path only")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from packer.io.output_place import output_place
    from packer.parts.in_place import join_in_place, unfinished
    from packer.parts.joining import join
    from runtime.formats.parts import find, of_whole, part_name, siblings

    first, *others = args.parts
    whole = first.with_name(name.whole if (name := part_name(first.name)) else first.name)
    for other in others:
        name = part_name(other.name)
        if not name or other.with_name(name.whole) != whole:
            raise InputError(
                f"{first} and {other} are not parts of one file", "Name the parts of one file."
            )
    there = siblings(whole.parent, part_name(first.name) or of_whole(first))
    begun = unfinished(whole)
    if not args.in_place and 0 not in there and begun:
        raise InputError(
            f"the parts of {whole} are being joined in place", "Finish that with `--in-place`."
        )
    with output_place(args.output) as place:
        path = place.file(whole)
        if args.in_place:
            path = join_in_place(first, whole, path if place.path else None, force=args.force)
        else:
            join(find(first), path, force=args.force)
    print(path)
    if not args.quiet and (there or begun):
        note(f"{path}: {in_words(path.stat().st_size)}, its parts were checked")
