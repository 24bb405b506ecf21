"""Sizes as people write them on the command line: `50GB`, `1.9GiB`, `700000`."""

from __future__ import annotations

import argparse
import re
from decimal import Decimal

from runtime.console import in_words

__all__ = ["PART_SIZE", "in_words", "parse_size"]

PART_SIZE = 50_000_000_000
"""Bytes of a part by default: Hugging Face delivers larger files to its own client only, not to
browsers and curl."""

_SIZE = re.compile(
    r"(?P<number>\d+(\.\d+)?) ?(?P<unit>[kmgt]?b|[kmgt]ib|)", re.IGNORECASE | re.ASCII
)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_size(text: str) -> int:
    """Bytes. `kB MB GB TB` are powers of 1000, `KiB MiB GiB TiB` of 1024; no unit: bytes. Raises
    ArgumentTypeError if it is not a size, or less than a byte."""
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 50GB, 1.9GiB or 700000")
    unit = found["unit"].lower()
    base = 1024 if unit.endswith("ib") else 1000
    size = int(Decimal(found["number"]) * base ** _POWERS[unit.rstrip("b").rstrip("i")])
    if size < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size for a part")
    return size
