"""`llamapack quantize`: makes a smaller GGUF of a model in 16 or 32 bits."""

from __future__ import annotations

import argparse
from pathlib import Path

from packer.commands import Subparsers
from packer.convert import quantizer


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser("quantize", help="make a smaller GGUF from one in 16 or 32 bits")
    parser.add_argument(
        "model", type=Path, metavar="MODEL.gguf", help="GGUF; the first one of a model in shards"
    )
    parser.add_argument(
        "quantization",
        metavar="TYPE",
        help=f"one of {', '.join(quantizer.QUANTIZATIONS)}; upper or lower case",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE|DIR", help="output file or folder; default: NAME-TYPE.gguf"
    )
    parser.add_argument(
        "--imatrix", type=Path, metavar="F", help="importance matrix, as llama-imatrix writes it"
    )
    parser.add_argument(
        "--allow-requantize",
        action="store_true",
        help="accept a quantized model; loses more than from 16 bits",
    )
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from packer.io.output import made_file
    from packer.io.output_place import output_place

    wanted = quantizer.parse_quantization(args.quantization)
    source: Path = args.model
    with output_place(args.output) as place:
        quantizer.check_quantizable(source, again=args.allow_requantize)
        quantizer.check_imatrix(args.imatrix)
        inputs = [source, *([args.imatrix] if args.imatrix else [])]
        needed = quantizer.quantized_size(source, wanted)
        output = place.file(Path(f"{quantizer.quantized_name(source, wanted)}.gguf"))
        with made_file(output, force=args.force, inputs=inputs, needed=needed) as unfinished:
            quantizer.quantize(
                source, unfinished, wanted, imatrix=args.imatrix, again=args.allow_requantize
            )
    print(output)
