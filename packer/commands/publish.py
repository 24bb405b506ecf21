"""`llamapack publish`: puts a bundle into a repository of the Hub."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packer.commands import Subparsers, print_json
from packer.io.console import note
from packer.io.sizes import PART_SIZE, in_words, parse_size
from runtime.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packer.parts.layout import Layout
    from packer.publish.hub import Repository
    from packer.publish.uploads import Publication, Remote
    from runtime.formats.bundle import Bundle
    from runtime.hub.words import HubWord

_CARD_LIMIT = 16 << 20  # bytes


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "publish",
        help="upload a bundle to the Hub, with card, checksums and licence",
        description="Uploads FILE, in parts if it is large, with its card, checksums and licence, "
        "in one commit. After an interruption, run it again: files already uploaded are "
        "skipped.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="bundle, or one of its parts")
    parser.add_argument(
        "--repo", required=True, metavar="ORG/NAME", help="repository; created if it does not exist"
    )
    parser.add_argument(
        "--private", action="store_true", help="create the repository for your account only"
    )
    parser.add_argument(
        "--revision", default="main", metavar="R", help="branch, created if needed; default: main"
    )
    parser.add_argument(
        "--part-size",
        type=parse_size,
        default=PART_SIZE,
        metavar="SIZE",
        help="size of the parts of a larger file, such as 1.9GiB; default: 50GB",
    )
    parser.add_argument(
        "--card",
        type=Path,
        metavar="FILE",
        help="card to use; default: the card that `llamapack card` writes",
    )
    parser.add_argument(
        "--template",
        type=Path,
        metavar="DIR",
        help="folder of card templates that replace the included ones",
    )
    parser.add_argument("--message", metavar="TEXT", help="message of the commit")
    parser.add_argument(
        "--force", action="store_true", help="allow replacing and deleting files of the repository"
    )
    parser.add_argument("--dry-run", action="store_true", help="list what would be sent")
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.add_argument("-q", "--quiet", action="store_true", help="print the address only")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from packer.parts.layout import hashed, layout
    from packer.publish.hub import Repository, repository
    from packer.publish.uploads import plan, refuse_other_sizes, refuse_replacing, uploads
    from runtime.hub.settings import settings

    word = repository(args.repo, args.revision)
    files = layout(args.file, args.part_size)
    with files.bundle() as bundle:
        hub = Repository(word, settings())
        if not args.dry_run:
            hub.require_token()
        remote = hub.look()
        _check_privacy(args, word, remote)
        if not args.force:
            refuse_other_sizes(word, files, remote)
        sums = hashed(files.all)
        card = _card(args, word, files, bundle, sums)
        todo = plan(uploads(files, bundle, sums, card), files, remote)
    if not args.force:
        refuse_replacing(word, remote, [file.name for file in todo.missing], todo.stale)
    commit = None if args.dry_run else _send(args, hub, remote, todo)
    _report(args, hub.url, todo, commit)


def _check_privacy(args: argparse.Namespace, word: HubWord, remote: Remote) -> None:
    if args.private and remote.exists and not remote.private:
        raise InputError(
            f"{word.repo} exists already and is public",
            "Make it private in its settings, choose another `--repo`, or leave `--private` out.",
        )


def _card(
    args: argparse.Namespace, word: HubWord, files: Layout, bundle: Bundle, sums: Mapping[str, str]
) -> bytes:
    """The contents of README.md: the user's own file, or the card of `llamapack card`."""
    from packer.metadata.render import card_text

    if args.card is None:
        return card_text(files, bundle, sums, repo=word, folder=args.template).encode()
    path: Path = args.card
    if not path.is_file() or path.stat().st_size > _CARD_LIMIT:
        raise InputError(f"{path} is not a card", "Name a file such as README.md.")
    return path.read_bytes()


def _send(
    args: argparse.Namespace, hub: Repository, remote: Remote, todo: Publication
) -> str | None:
    """The address of the commit; None if there is nothing to do."""
    from packer.io.console import progress
    from packer.io.output import terminable

    message = args.message or f"Publish {args.file.name}"
    cut = sum(file.size for file in todo.missing if file.is_cut)
    with terminable():
        hub.create(remote, private=args.private)
        if not todo.missing and not todo.stale:
            return None
        with progress("hashing and sending parts", 2 * cut) as advance:
            return hub.send(todo, message, parent=remote.commit, advance=advance)


def _report(args: argparse.Namespace, url: str, todo: Publication, commit: str | None) -> None:
    actions: list[dict[str, Any]] = [
        {
            "action": "send" if file in todo.missing else "present",
            "name": file.name,
            "sha256": file.sha256,
            "size": file.size,
        }
        for file in todo.files
    ]
    actions += [{"action": "delete", "name": name} for name in todo.stale]
    if args.json:
        print_json({"commit": commit, "dry_run": args.dry_run, "files": actions, "url": url})
    elif args.dry_run:
        for entry in actions:
            size = f"{entry['size']:,}" if "size" in entry else ""
            print(f"{entry['action']:8}{size:>16}  {entry['name']}")
    else:
        print(url)
    if not args.quiet:
        size = in_words(sum(file.size for file in todo.missing))
        would = "would go" if args.dry_run else "went"
        note(f"{len(todo.missing)} of {len(todo.files)} files, {size}, {would} to {url}")
