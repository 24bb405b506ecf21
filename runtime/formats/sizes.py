"""Sizes as people read them."""

from __future__ import annotations


def in_words(size: int) -> str:
    """A size for people, with a decimal unit."""
    for unit, scale in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:,.1f} {unit}"
    return f"{size} bytes"
