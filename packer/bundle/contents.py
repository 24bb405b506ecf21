"""What a bundle holds behind engines and web UI, in the order of the file.

The order depends on the contents alone, not on the command that writes them, so that `pack` with
options and `pack` followed by `edit` give the same bytes. See docs/bundle-format.md, Members.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from packer.io.digest import Digest
from packer.io.sources import Source
from runtime.formats.bundle import ARGS, MODELS, TEMPLATE
from runtime.formats.zip_directory import Member

LARGE = 1 << 20
"""Bytes. Larger files follow the weights directly, so that a change of small ones moves none."""

Weight: TypeAlias = Source | Member | Digest
"""A new GGUF, one of the present file, or the digest of one whose bytes are in place already."""

Other: TypeAlias = Source | Member | bytes
"""A new file, a member of the present file, or a text."""

_RANKS = {TEMPLATE: 1, MODELS: 2, ARGS: 4}
_LARGE, _SMALL = 0, 3


@dataclass(frozen=True)
class Contents:
    """All members but those of the head, by name."""

    weights: Mapping[str, Weight]
    """In the order of the file."""
    others: Mapping[str, Other]
    manifest: Mapping[str, Any] | None
    """All that it states but the members; None: the file is to have none."""

    @cached_property
    def ordered(self) -> Mapping[str, Weight | Other]:
        """Weights and others in the order of the file."""
        return {**self.weights, **dict(sorted(self.others.items(), key=_place))}

    @property
    def new_weights(self) -> int:
        """Bytes of weights that the present file has not."""
        return sum(one.size for one in self.weights.values() if not isinstance(one, Member))


def _place(item: tuple[str, Weight | Other]) -> tuple[int, str]:
    name, content = item
    size = len(content) if isinstance(content, bytes) else content.size
    return _RANKS.get(name, _LARGE if size >= LARGE else _SMALL), name
