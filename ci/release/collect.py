"""Puts what several machines exported into this machine's build cache.

Usage: python -m ci.release.collect FOLDER…      (each made by `python -m ci.release.engines`)
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from ci.ending import status_of
from packer.releases import NAME, index
from packer.weights.downloads import Downloads


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.release.collect", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    folders = parser.parse_args().folders
    return status_of(lambda: collect(folders))


def collect(folders: Iterable[Path]) -> None:
    """Take all pieces of each folder.

    Raises:
        InputError: one is damaged, or made from other sources than these.
    """
    with Downloads() as downloads:
        for folder in folders:
            path = folder / NAME
            for piece, entry in index.everything(index.parse(path.read_bytes(), str(path))):
                print(f"{piece.name} {index.fetch(piece, entry, str(folder), downloads)}")


if __name__ == "__main__":
    sys.exit(main())
