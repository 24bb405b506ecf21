"""`llamapack convert`: makes a GGUF of a checkpoint as `transformers` and PEFT save them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from packer.convert.converter import AUTO, TYPES

if TYPE_CHECKING:
    from packer.commands import Subparsers


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser("convert", help="make a GGUF of safetensors weights")
    parser.add_argument(
        "source",
        metavar="DIR|hf:ORG/REPO[@REVISION]",
        help="a model or an adapter as `transformers` or PEFT saves it; what bitsandbytes "
        "quantized is dequantized",
    )
    parser.add_argument("-o", "--output", metavar="FILE|DIR", help="default: NAME.gguf")
    parser.add_argument(
        "--type",
        choices=TYPES,
        default=AUTO,
        help="default: auto, the type of 16 bits that is nearest to the source; of an adapter f32",
    )
    parser.add_argument(
        "--base",
        metavar="DIR|hf:ORG/REPO",
        help="of an adapter, its model, whose configuration is needed; default: as it states",
    )
    parser.add_argument(
        "--offline", action="store_true", help="use what was fetched before, and no network"
    )
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")
    parser.add_argument("-q", "--quiet", action="store_true", help="print the path only")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from packer.convert.converter import convert, converted_size
    from packer.inputs.checkpoints import checkpoint_of, find_base
    from packer.inputs.locate import Locator
    from packer.output import made_file
    from packer.output_checks import check_path
    from packer.output_place import output_place

    with output_place(args.output) as place:
        if place.path and not place.is_folder:
            check_path(place.path, args.force, ())  # before anything is fetched for it
        with Locator(offline=args.offline, quiet=args.quiet) as locator:
            checkpoint = checkpoint_of(args.source, locator)
            base = find_base(checkpoint, locator, args.base) if checkpoint.adapter else None
        output = place.file(Path(f"{checkpoint.name}.gguf"))
        needed = converted_size(checkpoint, args.type)
        with made_file(
            output, force=args.force, inputs=checkpoint.weights, needed=needed
        ) as unfinished:
            convert(checkpoint, unfinished, args.type, base=base)
    print(output)
