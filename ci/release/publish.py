"""Uploads a finished release: assets with GitHub's `gh`, model folders with the Hub's `hf`, wheels
with `twine`.

Usage: python -m ci.release.publish DIST --tag TAG [--hub RECIPE=ORG/REPO]… [--pypi] [--dry-run]

The tools must be logged in. Everything is checked once more before the first byte leaves.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from ci.ending import status_of
from ci.release.checksums import NAME as SUMS
from runtime.errors import InputError
from runtime.formats import sha256_file
from runtime.formats.sha256_file import file_sha256

_ASSET_LIMIT = 2 << 30
"""Bytes; GitHub takes only smaller files."""
_PYPI_LIMIT = 100_000_000
"""Bytes of one file, unless PyPI has granted more."""
_HUB_LIMIT = 50_000_000_000
"""Bytes; browsers and curl cannot download larger files from the Hub."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.release.publish", description=__doc__)
    parser.add_argument("dist", type=Path)
    parser.add_argument("--tag", required=True, help="of the release, which must exist")
    parser.add_argument("--hub", action="append", default=[], metavar="RECIPE=ORG/REPO")
    parser.add_argument("--pypi", action="store_true", help="upload DIST/wheels, too")
    parser.add_argument("--dry-run", action="store_true", help="check, and print the commands")
    args = parser.parse_args()
    return status_of(
        lambda: _publish(
            commands(args.dist, args.tag, args.hub, pypi=args.pypi), dry_run=args.dry_run
        )
    )


def _publish(words_of_all: list[list[str]], *, dry_run: bool) -> None:
    for words in words_of_all:
        if dry_run:
            print(shlex.join(words))
        else:
            _run(words)


def commands(dist: Path, tag: str, hub: list[str], *, pypi: bool = False) -> list[list[str]]:
    """The commands that upload everything.

    Raises:
        InputError: a file is damaged, missing, too large, or made from changes that are nowhere.
    """
    assets = dist / "assets"
    _check(assets, _ASSET_LIMIT - 1)
    names = [str(path) for path in sorted(assets.iterdir())]
    found = [["gh", "release", "upload", tag, *names]]
    for pair in hub:
        name, _, repository = pair.partition("=")
        folder = dist / "hub" / name
        _check(folder, _HUB_LIMIT)
        found.append(["hf", "upload", repository, str(folder), "."])
    if pypi:
        shelf = dist / "wheels"
        _check(shelf, _PYPI_LIMIT)
        packages = sorted((*shelf.glob("*.whl"), *shelf.glob("*.tar.gz")))
        found.append(["twine", "upload", "--non-interactive", *map(str, packages)])
    return found


def _check(folder: Path, limit: int) -> None:
    if not (folder / SUMS).is_file():
        raise InputError(f"{folder} has no {SUMS}", "Make it with `python -m ci.release`.")
    for name, expected in sha256_file.parse((folder / SUMS).read_text(encoding="utf-8")).items():
        path = folder / name
        if not path.is_file() or file_sha256(path) != expected:
            raise InputError(f"{path} is not as it was made", "Make the release again.")
        if path.stat().st_size > limit:
            raise InputError(f"{path} is too large to be published there", "Make smaller parts.")
    for path in folder.glob("*.intoto.json"):
        build = json.loads(path.read_bytes())["predicate"]["buildDefinition"]
        if build["internalParameters"]["modified"]:
            raise InputError(
                f"{path}: made from changes that are not committed", "Commit, and make it again."
            )


def _run(words: list[str]) -> None:
    if not shutil.which(words[0]):
        raise InputError(f"there is no `{words[0]}` here", "Install it and log in.")
    if subprocess.run(words, check=False).returncode:
        raise InputError(f"`{words[0]}` failed", "It said why above.")


if __name__ == "__main__":
    sys.exit(main())
