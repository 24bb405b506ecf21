"""`llamapack pack`: makes a bundle from weights and the engines that are built."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from packer.foreign.named import named_runtime
from packer.front import FORMATS
from packer.papers.flags import add_flags
from packer.sizes import parse_size
from packer.windows_exe import CHOICES

if TYPE_CHECKING:
    from packer.commands import Subparsers


def register(verbs: Subparsers) -> None:
    # What is not given must be told from defaults, since a recipe stands between the two:
    # `packer/recipes/fields.py` has the defaults.
    parser = verbs.add_parser(
        "pack",
        help="make one file that runs out of GGUF weights",
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument(
        "models",
        nargs="*",
        metavar="MODEL",
        help="weights: a .gguf (of a model in shards the first one), WEIGHTS.zip[:MEMBER], "
        "a folder of safetensors, hf:ORG/REPO[:QUANT|/FILE][@REVISION] or https://…. "
        "The bundle starts with the first model",
    )
    parser.add_argument(
        "--model",
        dest="named_models",
        action="append",
        metavar="NAME=MODEL",
        help="one of several models that the file serves by name; repeatable, the first one is "
        "started unless the user asks for another. What follows takes NAME= before its value to "
        "say which model it is for; else it is for the first",
    )
    parser.add_argument(
        "--model-args",
        action="append",
        metavar="NAME=WORDS",
        help="default arguments of that model alone; repeatable",
    )
    parser.add_argument(
        "--recipe", metavar="NAME|FILE", help="TOML that says what follows; flags override it"
    )
    parser.add_argument("-o", "--output", metavar="FILE|DIR", help="default: NAME.llamafile")
    parser.add_argument("--name", help="what the bundle calls itself; default: as the GGUF file")
    args = parser.add_mutually_exclusive_group()
    args.add_argument("--args", metavar="WORDS", help="default arguments: `-c 4096 --temp 0`")
    args.add_argument("--args-file", type=Path, metavar="FILE", help="the same from a text file")
    parser.add_argument(
        "--chat-template", metavar="NAME|FILE", help="use this Jinja template, not the model's own"
    )
    parser.add_argument(
        "--mmproj",
        action="append",
        metavar="FILE|auto",
        help="projector of a vision model; auto: the one in the model's repository or archive",
    )
    parser.add_argument(
        "--lora",
        action="append",
        metavar="FILE[:SCALE]",
        help="adapter (GGUF, or a folder as PEFT saves it), with how strongly it applies (1); "
        "repeatable",
    )
    parser.add_argument(
        "--draft", action="append", metavar="FILE", help="small model for speculative decoding"
    )
    parser.add_argument(
        "--quant",
        metavar="TYPE",
        help="quantize models first, to Q6_K or what else `llamapack quantize` knows",
    )
    parser.add_argument(
        "--imatrix", type=Path, metavar="F", help="for --quant: which weights matter"
    )
    parser.add_argument(
        "--merge",
        action=argparse.BooleanOptionalAction,
        help="make one member of a model's shards",
    )
    parser.add_argument(
        "--add", action="append", metavar="F", help="another file to put in; repeatable"
    )
    add_flags(parser)
    parser.add_argument(
        "--offline", action="store_true", help="use what was fetched before, and no network"
    )
    parser.add_argument(
        "--runtime",
        type=named_runtime,
        metavar="FILE|cosmo",
        help="pack into this program in place of llamapack's own engines: a released llamafile or "
        "any other that reads its own ZIP. It is copied byte for byte and keeps its members. "
        "cosmo: what `engine build --toolchain cosmo` has made",
    )
    parser.add_argument(
        "--targets",
        metavar="T,T…|all|host",
        help="engines to pack, `host`: those for this machine; default: all that are built",
    )
    parser.add_argument(
        "--gpu",
        metavar="KINDS|none",
        help="GPU modules to pack, such as `vulkan,metal,cuda`; default: metal and vulkan where "
        "`engine add-gpu` fetched them",
    )
    parser.add_argument(
        "--gpu-sources",
        choices=("auto", "yes", "no"),
        help="pack what `--recompile` compiles GPU modules from (under 1 MB); default: auto",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="; ".join(f"{name}: {what}" for name, what in FORMATS.items()),
    )
    parser.add_argument(
        "--windows",
        choices=CHOICES,
        help="the engines for Windows; " + "; ".join(f"{k}: {v}" for k, v in CHOICES.items()),
    )
    parts = parser.add_mutually_exclusive_group()
    parts.add_argument(
        "--split-size",
        type=parse_size,
        metavar="SIZE",
        help="a larger bundle becomes parts of this size, such as 1.9GiB; default: 50GB",
    )
    parts.add_argument(
        "--no-split", dest="split_size", action="store_const", const=None, help="one file always"
    )
    parser.add_argument(
        "--consume",
        action="store_true",
        help="make MODEL itself the bundle, without copying its bytes (Linux: ext4, xfs); the file "
        "has the bundle's name then, in its folder unless `-o` says otherwise. Files of other "
        "options are copied. If it is interrupted, run it again",
    )
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")
    parser.add_argument("-q", "--quiet", action="store_true", help="print the path only")
    parser.set_defaults(run=run, refuse=parser.error)


def run(args: argparse.Namespace) -> None:
    if not getattr(args, "models", None) and not {"named_models", "recipe"} & vars(args).keys():
        args.refuse("MODEL, --model or --recipe is required")
    from packer.packing import make

    for path in make(args):
        print(path)
