"""One module per verb; each has `register(subparsers)` that adds its parser and sets `run`."""

from __future__ import annotations

import argparse
from typing import Protocol, TypeAlias

from packer.commands import engine, inspect, pack, verify

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


class Verb(Protocol):
    def register(self, verbs: Subparsers, /) -> None: ...


VERBS: tuple[Verb, ...] = (
    # One per line, so that two of them can be added side by side.
    engine,
    inspect,
    pack,
    verify,
)
