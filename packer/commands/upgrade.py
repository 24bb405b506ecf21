"""`llamapack upgrade`: gives a bundle the engines, stubs and web UI that are built now."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path

from packer.commands import Subparsers
from packer.io.console import note
from runtime.errors import InputError


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "upgrade",
        help="replace the engines in a bundle, or in another tool's llamafile, with the current "
        "build",
        description="Replaces head, stubs, engines and web UI. Weights stay where they are, are "
        "moved by the file system (ext4, xfs), or are copied if neither is possible.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="bundle, or another llamafile")
    parser.add_argument(
        "--targets",
        "--engines",
        metavar="T,T…|all|host",
        help="engines to pack; default: for the systems of the bundle; for another llamafile, all "
        "that are built",
    )
    parser.add_argument(
        "--gpu",
        metavar="KINDS|none",
        help="GPU modules to pack, such as `vulkan,metal`; default: the kinds that FILE has",
    )
    parser.add_argument(
        "--copy", action="store_true", help="write a new file instead; works while FILE is in use"
    )
    parser.add_argument(
        "--trust-args",
        action="store_true",
        help="keep all arguments of another tool's llamafile, not only those about the model",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="say nothing")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from packer.bundle.contents import ALIGNMENT
    from packer.edit.apply import COPIED, IN_PLACE, MOVED, SHARED, apply
    from packer.edit.opened import opened
    from packer.edit.upgrade import (
        build_head,
        displaced,
        is_up_to_date,
        targets_of,
        too_large_for_windows,
        upgraded,
    )
    from packer.engines.cache import chosen, web_ui
    from runtime.formats.args_file import refused_of
    from runtime.formats.zip_directory import STORED

    with opened(args.file, alone=not args.copy) as file, ExitStack() as stack:
        bundle = file.bundle
        present = ",".join(targets_of(bundle)) if bundle.manifest is not None else ""
        folders = chosen(args.targets or present or None)
        useless = too_large_for_windows(bundle, folders)
        folders = {name: folder for name, folder in folders.items() if name not in useless}
        if not folders:
            raise InputError(
                f"{args.file} would be left without engines",
                "Windows cannot run a file of 4 GiB or more: name other systems with `--targets`.",
            )
        head = build_head(stack, bundle, folders, web_ui(), args.gpu)
        moved = displaced(bundle)
        if is_up_to_date(bundle, head) and not moved:
            if not args.quiet:
                note(f"{args.file} has these engines already")
            return
        edition = upgraded(bundle, head, trust_args=args.trust_args)
        obeyed = refused_of(bundle)
        odd = any(bundle.data_offset(member) % ALIGNMENT for member in bundle.weights)
        # What is compressed is read while the new file is written: not in place.
        copy = args.copy or any(member.method != STORED for member in moved)
        how = apply(file, edition, copy=copy)
    if args.quiet:
        return
    became = {
        IN_PLACE: "where they were",
        MOVED: "moved, not copied",
        SHARED: "in a new file that shares them",
        COPIED: "copied",
    }[how]
    weights = f"; weights {became}" if bundle.weights else ""
    note(f"{args.file}: engines for {', '.join(folders)}{weights}")
    for member in moved:
        note(
            f"{member.name} was {'compressed' if member.method != STORED else 'moved'} by another "
            "tool and is stored in its place again"
        )
    if obeyed:
        note(f"its start obeys {', '.join(obeyed)}, which are not about the model")
    if odd:
        note(f"weights now begin on multiples of {ALIGNMENT:,} bytes, so that all systems map them")
    if useless:
        note(
            f"engines for {', '.join(useless)} were left out: Windows cannot run a file of 4 GiB "
            "or more; `llamapack pack --windows external` makes a NAME.exe for the same folder"
        )
