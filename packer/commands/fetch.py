"""`llamapack fetch`: brings weights from the Hub or an address to this machine."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packer.commands import Subparsers


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "fetch", help="download weights; an interrupted download continues where it ended"
    )
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="hf:ORG/REPO[:QUANT|/FILE][@REVISION], or https://…[#sha256=…]. HF_TOKEN, "
        "HF_ENDPOINT, HF_HOME, HF_HUB_CACHE and HTTPS_PROXY apply",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        help="folder for the files; default: the Hub's shared cache for files of the Hub, the "
        "current directory for others",
    )
    parser.add_argument(
        "--mmproj", action="store_true", help="also download the projector of a vision model"
    )
    parser.add_argument(
        "--offline", action="store_true", help="use earlier downloads only, without a network"
    )
    parser.add_argument("--force", action="store_true", help="replace files in DIR")
    parser.add_argument("-q", "--quiet", action="store_true", help="print the paths only")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from packer.io.output_place import output_place
    from packer.weights.fetching import FetchRequest, fetched

    request = FetchRequest(args.sources, args.mmproj, args.offline, args.force, args.quiet)
    with output_place(args.output, is_folder=True) as place:
        for path in fetched(request, place.path):
            print(path, flush=True)
