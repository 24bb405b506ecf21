"""`llamapack convert`: makes a GGUF of a checkpoint as `transformers` and PEFT save them."""

from __future__ import annotations

import argparse
from pathlib import Path

from packer.commands import Subparsers
from packer.convert.converter import AUTO, TYPES


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser("convert", help="make a GGUF from safetensors weights")
    parser.add_argument(
        "source",
        metavar="DIR|hf:ORG/REPO[@REVISION]",
        help="model or adapter as `transformers` or PEFT saves it; weights of bitsandbytes are "
        "dequantized",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE|DIR", help="output file or folder; default: NAME.gguf"
    )
    parser.add_argument(
        "--type",
        choices=TYPES,
        default=AUTO,
        help="type of the weights; default: auto, the nearest type of 16 bits, for an adapter f32",
    )
    parser.add_argument(
        "--base",
        metavar="DIR|hf:ORG/REPO",
        help="model of an adapter, for its configuration; default: the model that the adapter "
        "names",
    )
    parser.add_argument(
        "--offline", action="store_true", help="use earlier downloads only, without a network"
    )
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")
    parser.add_argument("-q", "--quiet", action="store_true", help="print the path only")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from packer.convert.converter import convert, converted_size
    from packer.io.output import check_path, made_file
    from packer.io.output_place import output_place
    from packer.weights.locator import Locator

    with output_place(args.output) as place:
        if place.path and not place.is_folder:
            check_path(place.path, args.force, ())  # before anything is fetched for it
        with Locator(offline=args.offline, quiet=args.quiet) as locator:
            checkpoint = locator.checkpoint(args.source)
            base = locator.base_of(checkpoint, args.base) if checkpoint.adapter else None
        output = place.file(Path(f"{checkpoint.name}.gguf"))
        needed = converted_size(checkpoint, args.type)
        with made_file(
            output, force=args.force, inputs=checkpoint.weights, needed=needed
        ) as unfinished:
            convert(checkpoint, unfinished, args.type, base=base)
    print(output)
