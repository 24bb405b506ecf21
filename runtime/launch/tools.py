"""What the launcher needs of the packer, which it knows nothing of: it is handed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from runtime.machine.machine import Machine

Provide: TypeAlias = Callable[[Machine], Path | None]
"""Makes or fetches an archive of engines, as `runtime.launch.archives` describes it."""

Join: TypeAlias = Callable[[Path], Path]
"""Joins the parts of the file that a part belongs to, in place; the path of the file."""


@dataclass(frozen=True)
class Tools:
    """Abilities of the program that the launcher is part of."""

    provide: Provide = lambda _: None
    join: Join | None = None
