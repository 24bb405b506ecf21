"""How downloads tell about themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Sized: TypeAlias = Callable[[int | None], Callable[[int], object]]
"""Told a size in bytes, if known, and then about progress in bytes."""

Begin: TypeAlias = Callable[[str], Sized]
"""Gets the activity, such as `fetching model.gguf`; then as `Sized`."""


@dataclass(frozen=True)
class Report:
    """Whom a download tells about itself; default: nobody."""

    begin: Begin = lambda _: lambda _: lambda _: None
    note: Callable[[str], object] = lambda _: None
    """Told in one line why something takes longer, or is not the newest."""
