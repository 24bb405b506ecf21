"""`llamapack fetch`: brings weights from the Hub or an address to this machine."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from packer.commands import Subparsers
from runtime.errors import InputError

if TYPE_CHECKING:
    from packer.weights.downloads import Downloads
    from runtime.hub.words import HubWord


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
    from packer.weights.downloads import Downloads
    from runtime.hub.words import HubWord, WebWord, parsed

    with (
        output_place(args.output, is_folder=True) as place,
        Downloads(offline=args.offline, quiet=args.quiet) as downloads,
    ):
        words = [parsed(source, downloads.settings.endpoint) for source in args.sources]
        for source, word in zip(args.sources, words, strict=True):
            if word is None:
                raise InputError(
                    f"{source} is not a source to download from",
                    "Write `hf:ORG/REPO` or `https://HOST/FILE.gguf`.",
                )
        for word in words:
            if isinstance(word, HubWord):
                for path in _from_hub(downloads, word, args, place.path):
                    print(path, flush=True)
            elif isinstance(word, WebWord):
                path = (place.path or Path()) / word.name
                _check(path, args.force)
                downloads.web().bring(word, path, force=args.force)
                downloads.finish()
                print(path, flush=True)


def _from_hub(
    downloads: Downloads, word: HubWord, args: argparse.Namespace, folder: Path | None
) -> Iterator[Path]:
    """The files of a model, as they come; in the Hub's cache if there is no folder for them."""
    hub = downloads.hub()
    model = hub.model(word)
    if folder is None:
        model = hub.fetched(model)
    files = list(model.files)
    if args.mmproj and model.projector and model.projector not in files:
        files.append(model.projector)
    for file in files:
        if folder is None:
            path = hub.path(model, file)
        else:
            path = folder / PurePosixPath(file).name
            _check(path, args.force)
            if hub.here(model, file):
                _copy(hub.path(model, file), path, force=args.force)
            else:
                # Not through the cache: a second copy may be more than the disk has.
                hub.bring(model, file, path, force=args.force)
        downloads.finish()
        yield path


def _check(target: Path, force: bool) -> None:
    if target.exists() and not force:
        raise InputError(f"{target} exists already", "Add `--force` to replace it, or choose `-o`.")


def _copy(path: Path, target: Path, *, force: bool) -> None:
    """Copy a file of the cache, sharing its blocks if possible: a change of the copy must not
    change the cache."""
    from packer.io.console import progress
    from packer.io.copy import copy
    from packer.io.output import output_file
    from packer.io.sources import FileSource

    source = FileSource.of(path)
    with (
        source.open() as file,
        output_file(target, force=force, needed=source.size, mode=0o644) as destination,
        progress(f"copying {target.name}", source.size) as advance,
    ):
        copy(file, source.size, str(path), destination, advance=advance, sparse=source.sparse)
