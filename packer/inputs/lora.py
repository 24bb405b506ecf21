"""`--lora FILE`, `--lora FILE:SCALE`, `--lora FILE=SCALE`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_SCALED = re.compile(r"(?P<file>.+)[:=](?P<scale>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")


@dataclass(frozen=True)
class LoraOption:
    """An adapter as it is asked for."""

    file: str
    scale: str | None
    """The number as written; None: 1."""


def parsed(word: str) -> LoraOption:
    """Divide file and scale; a file whose name looks like both is a file."""
    match = None if Path(word).exists() else _SCALED.fullmatch(word)
    return LoraOption(match["file"], match["scale"]) if match else LoraOption(word, None)
