"""The flags of `engine build` that are for Cosmopolitan's tools."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packer.engines.cosmo.cache import KIND
from packer.engines.cosmo.sources import ABOUT_UPSTREAM

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


def conflict(stated: Mapping[str, Any]) -> str | None:
    """Why the values of these options, by attribute, cannot be used together; None if they can."""
    if stated["toolchain"] == ZIG:
        given = next((flag for flag, attribute in _OWN.items() if stated[attribute]), None)
        return f"{given} is for --toolchain {KIND}" if given else None
    if stated["source"] is None:
        return f"--toolchain {KIND} needs --source DIR, the sources to compile: {ABOUT_UPSTREAM}"
    if stated["targets"] or stated["all"]:
        return f"--toolchain {KIND} makes one program for all systems; do not name a target"
    return None


def _definition(text: str) -> str:
    if not _DEFINITION.fullmatch(text):
        raise argparse.ArgumentTypeError(f"`{text}` is not NAME=VALUE")
    return text
