"""Puts the engines that several machines exported into this machine's build cache.

Usage: python -m ci.release.collect FOLDER…      (each made by `python -m ci.release.engines`)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from packer import cli
from packer.releases import index


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.release.collect", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    for folder in parser.parse_args().folders:
        trusted = str(folder / index.NAME)
        words = ["engine", "fetch", "--all", "--from", str(folder), "--index", trusted]
        if status := cli.main(words):
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
