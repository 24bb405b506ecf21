"""`llamapack pack`: makes a bundle from weights and the engines that are built."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from packer.commands import Subparsers
from packer.engines.front import FORMATS
from packer.head.windows_exe import CHOICES
from packer.io.sizes import parse_size
from runtime.errors import InputError


def register(verbs: Subparsers) -> None:
    # A missing option must differ from a default, since a recipe is between the two:
    # `packer/recipes/fields.py` has the defaults.
    parser = verbs.add_parser(
        "pack",
        help="make an executable bundle from GGUF weights",
        argument_default=argparse.SUPPRESS,
    )
    parser.set_defaults(run=run, refuse=parser.error)
    # The groups of the table in docs/packing.md.
    _add_contents(parser.add_argument_group("what goes in"))
    _add_answers(parser.add_argument_group("how it answers"))
    _add_labels(parser.add_argument_group("name and card"))
    _add_quantizing(parser.add_argument_group("smaller weights"))
    _add_targets(parser.add_argument_group("where it runs"))
    _add_output(parser.add_argument_group("how it is written"))


def run(args: argparse.Namespace) -> None:
    if not getattr(args, "models", None) and not {"named_models", "recipe"} & vars(args).keys():
        args.refuse("MODEL, --model or --recipe is required")
    from packer.packing.make import make

    for path in make(vars(args)):
        print(path)


def _add_contents(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "models",
        nargs="*",
        metavar="MODEL",
        help="weights: a .gguf (the first one of a model in shards), WEIGHTS.zip[:MEMBER], "
        "a folder of safetensors, hf:ORG/REPO[:QUANT|/FILE][@REVISION] or https://…; "
        "the bundle starts with the first model",
    )
    group.add_argument(
        "--model",
        dest="named_models",
        action="append",
        metavar="NAME=MODEL",
        help="a model that the file serves by name; repeatable; a start uses the first one unless "
        "you name another. --mmproj, --lora and --draft take NAME= before their value to name "
        "their model; default: the first",
    )
    group.add_argument(
        "--model-args",
        action="append",
        metavar="NAME=WORDS",
        help="default arguments of one model only; repeatable",
    )
    group.add_argument(
        "--recipe",
        metavar="NAME|FILE",
        help="TOML file with any of these options; options given here override it",
    )
    group.add_argument(
        "--mmproj",
        action="append",
        metavar="FILE|auto|none",
        help="projector of a vision model; auto: the one in the model's repository, archive or "
        "folder; default: auto for a repository, else none",
    )
    group.add_argument(
        "--lora",
        action="append",
        metavar="FILE[:SCALE]",
        help="adapter (GGUF, or a folder as PEFT saves it) and its strength, 1 by default; "
        "repeatable",
    )
    group.add_argument(
        "--draft", action="append", metavar="FILE", help="small model for speculative decoding"
    )
    group.add_argument(
        "--add", action="append", metavar="F", help="any other file to add; repeatable"
    )
    group.add_argument(
        "--merge",
        action=argparse.BooleanOptionalAction,
        help="join the shards of a model into one member",
    )
    group.add_argument(
        "--offline", action="store_true", help="use earlier downloads only, without a network"
    )


def _add_answers(group: argparse._ArgumentGroup) -> None:
    args = group.add_mutually_exclusive_group()
    args.add_argument("--args", metavar="WORDS", help="default arguments: `-c 4096 --temp 0`")
    args.add_argument("--args-file", type=Path, metavar="FILE", help="the same from a text file")
    group.add_argument(
        "--ctx-size", type=_tokens, metavar="N", help="default context size in tokens"
    )
    group.add_argument(
        "--sampling",
        action="append",
        type=_setting,
        metavar="NAME=VALUE|none",
        help="sampling default such as temperature=0.7; repeatable; default: values of "
        "card and generation_config.json of the model's repository; none: without these",
    )
    group.add_argument(
        "--chat-template", metavar="NAME|FILE", help="use this Jinja template, not the model's own"
    )


def _add_labels(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--name", help="name of the bundle; default: the GGUF file's")
    group.add_argument(
        "--card",
        metavar="FILE|hf:ORG/REPO|none",
        help="the base model's card; default: README.md of the model's repository",
    )
    group.add_argument(
        "--card-field",
        action="append",
        type=_card_field,
        metavar="NAME=YAML",
        help="front matter for the card such as license=gemma; repeatable",
    )
    group.add_argument(
        "--license", action="append", metavar="FILE", help="licence of the weights; repeatable"
    )


def _add_quantizing(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--quant",
        metavar="TYPE",
        help="quantize models first, to Q6_K or another type of `llamapack quantize`",
    )
    group.add_argument("--imatrix", type=Path, metavar="F", help="importance matrix for --quant")


def _add_targets(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--targets",
        metavar="T,T…|all|host",
        help="engines to pack; `host`: for this machine; default: all that are built",
    )
    group.add_argument(
        "--gpu",
        metavar="KINDS|none",
        help="GPU modules to pack, such as `vulkan,metal,cuda`; default: metal and vulkan if "
        "`engine add-gpu` downloaded them",
    )
    group.add_argument(
        "--gpu-sources",
        choices=("auto", "yes", "no"),
        help="sources for `--recompile` (under 1 MB); default: auto",
    )
    group.add_argument(
        "--format",
        choices=FORMATS,
        help="; ".join(f"{name}: {what}" for name, what in FORMATS.items()),
    )
    group.add_argument(
        "--windows",
        choices=CHOICES,
        help="where engines for Windows go; " + "; ".join(f"{k}: {v}" for k, v in CHOICES.items()),
    )
    group.add_argument(
        "--runtime",
        type=_runtime,
        metavar="FILE|cosmo",
        help="pack into this program instead of llamapack's engines: a released llamafile, or "
        "another program that reads its own ZIP; it is copied byte for byte and keeps its "
        "members. cosmo: the program of `engine build --toolchain cosmo`",
    )


def _add_output(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "-o", "--output", metavar="FILE|DIR", help="output file or folder; default: NAME.llamafile"
    )
    parts = group.add_mutually_exclusive_group()
    parts.add_argument(
        "--split-size",
        type=parse_size,
        metavar="SIZE",
        help="size of the parts of a larger bundle, such as 1.9GiB; default: 50GB",
    )
    parts.add_argument(
        "--no-split",
        dest="split_size",
        action="store_const",
        const=None,
        help="always write one file",
    )
    group.add_argument(
        "--consume",
        action="store_true",
        help="turn MODEL itself into the bundle, without copying it (Linux: ext4, xfs); it gets "
        "the bundle's name, in its own folder unless `-o` names another; files of other "
        "options are copied; after an interruption, run it again",
    )
    group.add_argument("--force", action="store_true", help="replace the output if it exists")
    group.add_argument("-q", "--quiet", action="store_true", help="print the path only")


def _tokens(word: str) -> int:
    if not word.isdecimal():
        raise argparse.ArgumentTypeError(f"{word!r} is not a number of tokens")
    return int(word)


# Not imported at the top: YAML takes a while, and few command lines have these flags.
def _setting(word: str) -> tuple[str, Any]:
    from packer.metadata.sampling import setting

    return setting(word)


def _card_field(word: str) -> tuple[str, Any]:
    from packer.metadata.fields import checked
    from packer.metadata.front_matter import parsed

    name, sign, text = word.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"{word!r} is not NAME=VALUE")
    try:
        return checked(name, parsed(text, f"card field {name}"))
    except InputError as problem:
        raise argparse.ArgumentTypeError(f"{problem.message}. {problem.tip}") from None


def _runtime(word: str) -> Path:
    from packer.engines.other_runtimes import named_runtime  # and readers of programs

    return named_runtime(word)
