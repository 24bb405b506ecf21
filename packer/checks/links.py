"""How native files are tied to each other, whatever their format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_OURS = re.compile(r"(?:_Z\d+)?g(?:gml|guf)_")
"""ggml's functions, in C or as C++ spells them."""

_SHOWN = 5


@dataclass(frozen=True)
class Links:
    """The names by which one file is tied to others."""

    needed: tuple[str, ...] = ()
    """Libraries that the loader loads with it, by file name."""
    imports: frozenset[tuple[str, str]] = frozenset()
    """Symbols that must be there, each with the library that must have it; the library is empty
    where the format does not say which (ELF)."""
    exports: frozenset[str] = frozenset()


def text(name: str | bytes) -> str:
    """A name as lief gives it: as bytes where it is not UTF-8."""
    return name if isinstance(name, str) else name.decode("latin-1")


def is_ours(symbol: str) -> bool:
    """Whether a symbol is one of ggml's."""
    return _OURS.match(symbol) is not None


def unmet(name: str, links: Links, others: Mapping[str, Links], *, by_library: bool) -> list[str]:
    """The broken rules of a file about symbols of ggml that no file beside it exports.

    Args:
        name: of the file that imports.
        others: the engine's files, by name.
        by_library: the format names a library with each symbol; else any needed one may have it.
    """
    missing = sorted(
        symbol
        for library, symbol in links.imports
        if is_ours(symbol)
        and not any(
            symbol in others[place].exports
            for place in ([library] if by_library else links.needed)
            if place in others
        )
    )
    if not missing:
        return []
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    return [f"{name}: no library beside it exports {', '.join(missing[:_SHOWN])}{more}"]
