"""`--lora FILE`, `--lora FILE:SCALE`, `--lora FILE=SCALE`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import InputError
from runtime.formats.weights import is_gguf

_SCALED = re.compile(r"(?P<file>.+)[:=](?P<scale>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")
_ENDING = re.compile(r"(?P<file>.+)[:=](?P<end>[^/]*)")


@dataclass(frozen=True)
class LoraOption:
    """An adapter as it is asked for."""

    file: str
    scale: str | None
    """The number as written; None: 1."""


def parsed(word: str) -> LoraOption:
    """Divide file and scale; a file whose name looks like both is a file.

    Raises:
        InputError: the text after a file is not a number.
    """
    if Path(word).exists():
        return LoraOption(word, None)
    if match := _SCALED.fullmatch(word):
        return LoraOption(match["file"], match["scale"])
    if (match := _ENDING.fullmatch(word)) and is_gguf(Path(match["file"])):
        raise InputError(
            f"{match['end']!r} is not a scale of the adapter {match['file']}",
            f"Write a number: `--lora {match['file']}:0.5`.",
        )
    return LoraOption(word, None)
