"""Types for words on the command lines of scripts."""

from __future__ import annotations

import argparse


def positive(text: str) -> int:
    """A count of one or more.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(text)
