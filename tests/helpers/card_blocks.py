"""The fenced blocks of a card."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#{2,3} (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    heading: str
    """Of the section that it is in."""
    language: str
    text: str

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


def blocks(card: str) -> list[Block]:
    """All blocks of the card's own part: what follows its second rule is the base model's."""
    own = re.split(r"^---$", card, maxsplit=3, flags=re.MULTILINE)[2]
    found = []
    for fence in _FENCE.finditer(own):
        heading = [match[1] for match in _HEADING.finditer(own, 0, fence.start())]
        found.append(Block(heading[-1] if heading else "", fence[1], fence[2]))
    return found
