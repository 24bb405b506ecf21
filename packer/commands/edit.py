"""`llamapack edit`: changes arguments, template, name and members of a bundle in place."""

from __future__ import annotations

import argparse
from pathlib import Path

from packer.commands import Subparsers
from packer.io.console import note
from runtime.errors import InputError

NO_TEMPLATE = "none"


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "edit",
        help="change arguments, template or members of a bundle in place",
        description="Changes a bundle in place. Weights are neither moved nor read. Without "
        "options, restores the old bundle after an interrupted change.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="bundle, or another llamafile")
    own = parser.add_mutually_exclusive_group()
    own.add_argument("--args", metavar="WORDS", help="new default arguments: `-c 4096 --temp 0`")
    own.add_argument("--args-file", type=Path, metavar="FILE", help="the same from a text file")
    parser.add_argument(
        "--add",
        nargs="+",
        action="extend",
        type=Path,
        default=[],
        metavar="F",
        help="add files: models, projectors and adapters (GGUF), or any other file",
    )
    parser.add_argument(
        "--remove",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="remove members; removes the whole model if NAME is one of its shards",
    )
    parser.add_argument(
        "--chat-template",
        metavar="NAME|FILE|none",
        help="use this Jinja template; none: the model's own",
    )
    parser.add_argument("--name", help="new name of the bundle")
    parser.add_argument("--force", action="store_true", help="replace members of the same name")
    parser.add_argument(
        "--copy", action="store_true", help="write a new file instead; works while FILE is in use"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="say nothing")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from packer.bundle.args import own_words
    from packer.edit.apply import COPIED, SHARED, apply
    from packer.edit.edits import Edits, edited
    from packer.edit.opened import held, opened
    from packer.head.windows_exe import path_beside
    from packer.templates.origin import load

    has_template = args.chat_template not in (None, NO_TEMPLATE)
    has_args = args.args is not None or args.args_file is not None
    edits = Edits(
        args=own_words(args.args, args.args_file) if has_args else None,
        add=args.add,
        remove=args.remove,
        template=load(args.chat_template) if has_template else None,
        no_template=args.chat_template == NO_TEMPLATE,
        name=args.name,
        force=args.force,
    )
    if edits == Edits(add=[], remove=[], force=args.force):
        # It need not be a bundle: `pack --consume` changes a GGUF.
        with held(args.file, alone=not args.copy, keep=args.copy) as interrupted:
            if interrupted.recovered:
                return
        raise InputError(
            f"nothing to change in {args.file}",
            "Name a change, such as `--args '-c 4096'`; `llamapack edit --help` lists all options.",
        )
    with opened(args.file, alone=not args.copy) as file:
        how = apply(file, edited(file.bundle, edits), copy=args.copy)
    if not args.quiet:
        note(f"{args.file}: changed{', by a new file' if how in (SHARED, COPIED) else ''}")
        beside = path_beside(args.file)
        if beside.exists() and not beside.samefile(args.file):
            note(f"{beside} in the same folder is another bundle and is not changed")
