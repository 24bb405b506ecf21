"""`llamapack pack`: makes a bundle from weights and the engines that are built."""

from __future__ import annotations

import argparse
import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from packer.console import note
from packer.front import APE, ENDINGS, FORMATS, Front
from packer.sizes import PART_SIZE, parse_size
from packer.windows_exe import CHOICES
from runtime.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packer.commands import Subparsers
    from packer.copy import Destination
    from packer.pack import Plan

_ARGS_LIMIT = 1 << 20  # bytes


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser("pack", help="make one file that runs out of GGUF weights")
    parser.add_argument(
        "models",
        nargs="+",
        metavar="MODEL",
        help="weights: a .gguf (of a model in shards the first one), WEIGHTS.zip[:MEMBER], "
        "hf:ORG/REPO[:QUANT|/FILE][@REVISION] or https://…. The bundle starts with the first model",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: NAME.llamafile")
    parser.add_argument("--name", help="what the bundle calls itself; default: as the GGUF file")
    args = parser.add_mutually_exclusive_group()
    args.add_argument("--args", metavar="WORDS", help="default arguments: `-c 4096 --temp 0`")
    args.add_argument("--args-file", type=Path, metavar="FILE", help="the same from a text file")
    parser.add_argument(
        "--chat-template", metavar="NAME|FILE", help="use this Jinja template, not the model's own"
    )
    parser.add_argument(
        "--mmproj",
        metavar="FILE|auto",
        help="projector of a vision model; auto: the one in the model's repository or archive",
    )
    parser.add_argument(
        "--lora",
        action="append",
        default=[],
        metavar="FILE[:SCALE]",
        help="adapter, with how strongly it applies (1); repeatable",
    )
    parser.add_argument("--draft", metavar="FILE", help="small model for speculative decoding")
    parser.add_argument("--merge", action="store_true", help="make one member of a model's shards")
    parser.add_argument(
        "--offline", action="store_true", help="use what was fetched before, and no network"
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
        default="auto",
        help="pack what `--recompile` compiles GPU modules from (under 1 MB); default: auto",
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
    parts = parser.add_mutually_exclusive_group()
    parts.add_argument(
        "--split-size",
        type=parse_size,
        default=PART_SIZE,
        metavar="SIZE",
        help="a larger bundle becomes parts of this size, such as 1.9GiB; default: 50GB",
    )
    parts.add_argument(
        "--no-split", dest="split_size", action="store_const", const=None, help="one file always"
    )
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")
    parser.add_argument("-q", "--quiet", action="store_true", help="print the path only")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    for path in make(args):
        print(path)


def make(args: argparse.Namespace) -> list[Path]:
    """Pack what the parsed arguments say; the paths of the new files."""
    from packer.archives.engine import packed_engine
    from packer.archives.web_ui import packed_web_ui
    from packer.chat_templates import load
    from packer.default_args import default_args
    from packer.engines import web_ui
    from packer.epoch import source_date_epoch
    from packer.gpu.archive import packed_module
    from packer.gpu.chosen import chosen
    from packer.gpu.sources import packed_sources
    from packer.inputs.chosen import chosen_weights
    from packer.pack import Plan, pack
    from packer.plans import planned
    from packer.progress import progress

    template = load(args.chat_template) if args.chat_template else None
    weights = chosen_weights(args, own_template=template is not None)
    inputs, stem = weights.inputs, weights.stem
    output = args.output or Path(f"{stem}{ENDINGS[args.format]}")
    text = default_args(
        weights.model, mmproj=weights.mmproj, loras=weights.loras, draft=weights.draft,
        template=template is not None, own=own_args(args),
    )  # fmt: skip
    folders = _engines(args)
    with ExitStack() as stack:
        plan = Plan(
            name=args.name or stem,
            front=Front(b""),
            engines=[
                stack.enter_context(packed_engine(target, folder))
                for target, folder in folders.items()
            ],
            gpu_modules=[
                stack.enter_context(packed_module(module, folder))
                for module, folder in chosen(args.gpu, folders)
            ],
            shared=[
                *(
                    stack.enter_context(packed_sources(path))
                    for path in _gpu_sources(args, folders)
                ),
                stack.enter_context(packed_web_ui(web_ui())),
            ],
            weights=inputs.sources,
            models=inputs.models,
            chat_template=template,
            args=text,
            epoch=source_date_epoch(),
        )
        plans = planned(plan, folders, output, kind=args.format, windows=args.windows)
        files = {path: _output(stack, path, one, args, inputs.paths) for path, one in plans.items()}
        advance = stack.enter_context(progress("packing", plan.work))
        for path, one in plans.items():
            pack(one, files[path][0], lambda n: None if args.quiet else advance(n))
    written = {path: paths for path, (_, paths) in files.items()}
    if not args.quiet:
        _report(plans, written)
    return [path for paths in written.values() for path in paths]


def _output(
    stack: ExitStack, path: Path, plan: Plan, args: argparse.Namespace, inputs: list[Path]
) -> tuple[Destination, list[Path]]:
    """Where to write one bundle, and a list that names its files once the stack is closed."""
    from packer.output import output_file
    from packer.parts.files import part_files

    size = args.split_size
    needed = plan.size_limit
    if size is None or needed <= size or not plan.weights:
        file = output_file(path, force=args.force, inputs=inputs, needed=needed)
        return stack.enter_context(file), [path]
    files = part_files(path, size, force=args.force, inputs=inputs, needed=needed, surely=plan.work)
    parts = stack.enter_context(files)
    return parts.output, parts.paths


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


def _gpu_sources(args: argparse.Namespace, folders: Mapping[str, Path]) -> list[Path]:
    from packer.gpu.sources import wanted

    found = wanted(args.gpu_sources, folders)
    return [found] if found else []


def _report(plans: Mapping[Path, Plan], written: Mapping[Path, list[Path]]) -> None:
    for path, plan in plans.items():
        targets = ", ".join(plan.targets)
        files = written[path]
        size = sum(file.stat().st_size for file in files) / 1e6
        if len(files) > 1:
            note(
                f"{path}: {size:,.1f} MB for {targets} in {len(files) - 1} parts and their hashes; "
                f"`llamapack join {shlex.quote(str(files[0]))}` joins them, as `cat` does"
            )
        elif plan.weights:
            start = str(path) if path.parent != Path() else f"./{path}"
            note(f"{path}: {size:,.1f} MB for {targets}; start it with `{shlex.quote(start)}`")
            _report_gpu(plan)
        else:
            note(
                f"{path}: {size:,.1f} MB for {targets}, without weights, since Windows starts no "
                f"file of 4 GiB; keep it beside {next(iter(plans)).name}"
            )


def _report_gpu(plan: Plan) -> None:
    for one in plan.gpu_modules:
        size = one.packed.compressed_size / 1e6
        note(f"with {one.module.title} ({size:,.1f} MB), which needs {one.module.needs}")


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
