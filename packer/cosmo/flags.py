"""The flags of `engine build` that are for Cosmopolitan's tools."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from packer.cosmo.cache import KIND
from packer.cosmo.sources import ABOUT_UPSTREAM

ZIG = "zig"
_OWN = {
    "--source": "source",
    "--program": "program",
    "--define": "definitions",
    "--cosmocc": "cosmocc",
}
_DEFINITION = re.compile(r"\w+(:[A-Z]+)?=.*", re.ASCII)


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--toolchain",
        choices=(ZIG, KIND),
        default=ZIG,
        help=f"{ZIG}: one native engine per target (default); {KIND}: one program for all "
        "systems, built with Cosmopolitan's tools, for `pack --runtime cosmo`",
    )
    cosmo = parser.add_argument_group(f"for --toolchain {KIND}")
    cosmo.add_argument(
        "--source", type=Path, metavar="DIR", help="sources of the runtime, a CMake project"
    )
    cosmo.add_argument(
        "--program", metavar="NAME", help="program to use, if the sources build several"
    )
    cosmo.add_argument(
        "-D",
        "--define",
        dest="definitions",
        type=_definition,
        action="append",
        metavar="NAME=VALUE",
        help="CMake variable for the sources; repeatable",
    )
    cosmo.add_argument(
        "--cosmocc",
        type=Path,
        metavar="DIR",
        help="folder of cosmocc; default: $COSMOCC, or the tools in PATH",
    )
    parser.set_defaults(refuse=parser.error)


def check_flags(args: argparse.Namespace) -> None:
    """End with status 2 if these arguments do not go together."""
    if args.toolchain == ZIG:
        for flag, attribute in _OWN.items():
            if getattr(args, attribute):
                args.refuse(f"{flag} is for --toolchain {KIND}")
    elif args.source is None:
        args.refuse(
            f"--toolchain {KIND} needs --source DIR, the sources to compile: {ABOUT_UPSTREAM}"
        )
    elif args.targets or args.all:
        args.refuse(f"--toolchain {KIND} makes one program for all systems; do not name a target")


def _definition(text: str) -> str:
    if not _DEFINITION.fullmatch(text):
        raise argparse.ArgumentTypeError(f"`{text}` is not NAME=VALUE")
    return text
