"""`llamapack card`: writes the README.md that a bundle is published with."""

from __future__ import annotations

import argparse
from pathlib import Path

from packer.commands import Subparsers
from packer.io.console import note, show
from packer.io.sizes import PART_SIZE, parse_size


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "card",
        help="write the model card that a bundle is published with",
        description="The card contains only facts that FILE states.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="bundle, or one of its parts")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE|DIR|-",
        help="output, such as README.md; default: `-`, stdout",
    )
    parser.add_argument(
        "--repo", metavar="ORG/NAME", help="repository of the bundle, for the addresses in the card"
    )
    parser.add_argument(
        "--template",
        type=Path,
        metavar="DIR",
        help="folder of templates that replace the included ones",
    )
    parser.add_argument(
        "--part-size",
        type=parse_size,
        default=PART_SIZE,
        metavar="SIZE",
        help="size of the parts of a larger file; default: 50GB",
    )
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")
    parser.add_argument("-q", "--quiet", action="store_true", help="print the path only")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from packer.io.output import check_path, output_file
    from packer.io.output_place import STDOUT, output_place
    from packer.metadata.render import card_text
    from packer.parts.layout import hashed, layout
    from packer.publish.hub import repository

    repo = repository(args.repo) if args.repo else None
    files = layout(args.file, args.part_size)
    inputs = [file.path for file in files.all]
    with output_place(None if args.output == STDOUT else args.output) as place:
        output = place.file(Path("README.md")) if place.path else None
        if output:
            check_path(output, args.force, inputs)
        with files.bundle() as bundle:
            text = card_text(files, bundle, hashed(files.all), repo=repo, folder=args.template)
        if output is None:
            show(text)
            return
        with output_file(output, force=args.force, inputs=inputs, mode=0o644) as file:
            file.write(text.encode(errors="replace"))
    print(output)
    if not args.quiet:
        note(f"{output}: the card of {files.whole.name}")
