"""What tests of cards do with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Stating = Callable[..., Path]
"""Makes a bundle that states the given facts, and has the given members."""

Card = Callable[..., str]
"""The text of `llamapack card` with these words."""
