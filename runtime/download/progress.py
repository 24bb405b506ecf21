"""How those who download are told about progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Sized: TypeAlias = Callable[[int | None], Callable[[int], object]]
"""Told a size in bytes, if known, and then about progress in bytes."""

Begin: TypeAlias = Callable[[str], Sized]
"""Told what is done, such as `fetching model.gguf`; then as `Sized`."""
