"""Prints all targets with the keys of their engines, as the matrix of a CI workflow.

Usage: python -m ci.release.matrix
"""

from __future__ import annotations

import argparse
import json

from packer.engines import native, pins
from packer.engines.key import engine_key
from packer.engines.targets import TARGETS


def matrix() -> list[dict[str, str]]:
    """Target and key of each engine; the key changes with everything that makes the engine."""
    sources = native.directory()
    pinned = pins.load(sources)
    digests = native.digests(sources)
    return [
        {"target": name, "key": engine_key(row, pinned, digests)} for name, row in TARGETS.items()
    ]


def main() -> None:
    argparse.ArgumentParser(prog="python -m ci.release.matrix", description=__doc__).parse_args()
    print(json.dumps({"include": matrix()}))


if __name__ == "__main__":
    main()
