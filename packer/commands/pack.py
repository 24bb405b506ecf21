"""`llamapack pack`: makes a bundle from weights and the engines that are built."""

from __future__ import annotations

import argparse
import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from packer.console import note
from packer.front import APE, ENDINGS, FORMATS, Front
from packer.windows_exe import CHOICES
from runtime.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packer.commands import Subparsers
    from packer.pack import Plan

_ARGS_LIMIT = 1 << 20  # bytes


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser("pack", help="make one file that runs out of GGUF weights")
    parser.add_argument(
        "models",
        nargs="+",
        type=Path,
        metavar="MODEL.gguf",
        help="weights; of a model in shards the first one. The bundle starts with the first model",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: NAME.llamafile")
    parser.add_argument("--name", help="what the bundle calls itself; default: as the GGUF file")
    args = parser.add_mutually_exclusive_group()
    args.add_argument("--args", metavar="WORDS", help="default arguments: `-c 4096 --temp 0`")
    args.add_argument("--args-file", type=Path, metavar="FILE", help="the same from a text file")
    parser.add_argument(
        "--chat-template", metavar="NAME|FILE", help="use this Jinja template, not the model's own"
    )
    parser.add_argument("--mmproj", type=Path, metavar="FILE", help="projector of a vision model")
    parser.add_argument(
        "--lora", type=Path, action="append", default=[], metavar="FILE", help="adapter; repeatable"
    )
    parser.add_argument(
        "--targets",
        metavar="T,T…|all|host",
        help="engines to pack, `host`: those for this machine; default: all that are built",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default=APE,
        help="; ".join(f"{name}: {what}" for name, what in FORMATS.items()),
    )
    parser.add_argument(
        "--windows",
        choices=CHOICES,
        help="the engines for Windows; " + "; ".join(f"{k}: {v}" for k, v in CHOICES.items()),
    )
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")
    parser.add_argument("-q", "--quiet", action="store_true", help="print the path only")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    for path in make(args):
        print(path)


def make(args: argparse.Namespace) -> list[Path]:
    """Pack what the parsed arguments say; the paths of the new files."""
    from packer.chat_templates import load
    from packer.default_args import default_args
    from packer.engine_archive import packed_engine
    from packer.engines import web_ui
    from packer.epoch import source_date_epoch
    from packer.inputs import Inputs, bundle_stem
    from packer.output import output_file
    from packer.pack import Plan, pack
    from packer.plans import planned
    from packer.progress import progress
    from packer.web_ui_archive import packed_web_ui

    template = load(args.chat_template) if args.chat_template else None
    inputs = Inputs()
    first, *_ = [inputs.add_model(path, own_template=template is not None) for path in args.models]
    mmproj = inputs.add_file(args.mmproj) if args.mmproj else None
    loras = [inputs.add_file(path) for path in args.lora]
    stem = bundle_stem(args.models[0])
    output = args.output or Path(f"{stem}{ENDINGS[args.format]}")
    text = default_args(
        first, mmproj=mmproj, loras=loras, template=template is not None, own=own_args(args)
    )
    folders = _engines(args)
    with ExitStack() as stack:
        plan = Plan(
            name=args.name or stem,
            front=Front(b""),
            engines=[
                stack.enter_context(packed_engine(target, folder))
                for target, folder in folders.items()
            ],
            web_ui=stack.enter_context(packed_web_ui(web_ui())),
            weights=inputs.sources,
            models=inputs.models,
            chat_template=template,
            args=text,
            epoch=source_date_epoch(),
        )
        plans = planned(plan, folders, output, kind=args.format, windows=args.windows)
        files = {
            path: stack.enter_context(
                output_file(path, force=args.force, inputs=inputs.paths, needed=one.size_limit)
            )
            for path, one in plans.items()
        }
        advance = stack.enter_context(progress("packing", plan.work))
        for path, one in plans.items():
            pack(one, files[path], lambda n: None if args.quiet else advance(n))
    if not args.quiet:
        _report(plans)
    return list(plans)


def _engines(args: argparse.Namespace) -> dict[str, Path]:
    from packer import front
    from packer.engines import chosen

    if args.windows and args.format != APE:
        raise InputError(
            f"`--windows` is for the polyglot, not for `--format {args.format}`",
            "Leave one of the two out.",
        )
    folders = chosen(args.targets)
    if args.format != APE and args.targets in (None, "all"):
        wanted = front.fitting(args.format, folders)
        if not wanted:
            name = front.example(args.format)
            raise InputError(
                f"no engine is built that `--format {args.format}` is for",
                f"Run `llamapack engine build {name}`.",
            )
        return {target: folders[target] for target in wanted}
    return folders


def _report(plans: Mapping[Path, Plan]) -> None:
    for path, plan in plans.items():
        targets = ", ".join(plan.targets)
        size = path.stat().st_size / 1e6
        if plan.weights:
            start = str(path) if path.parent != Path() else f"./{path}"
            note(f"{path}: {size:,.1f} MB for {targets}; start it with `{shlex.quote(start)}`")
        else:
            note(
                f"{path}: {size:,.1f} MB for {targets}, without weights, since Windows starts no "
                f"file of 4 GiB; keep it beside {next(iter(plans)).name}"
            )


def own_args(args: argparse.Namespace) -> str:
    """What `--args` or `--args-file` say."""
    if args.args is not None:
        return str(args.args)
    if args.args_file is None:
        return ""
    path: Path = args.args_file
    if not path.is_file() or path.stat().st_size > _ARGS_LIMIT:
        raise InputError(f"{path} is no file of arguments", "Give a text file of words.")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text", "Give a text file of words.") from None
