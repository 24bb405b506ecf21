"""One module per verb; each has `register(subparsers)` that adds its parser and sets `run`."""

from __future__ import annotations

import argparse
from typing import Protocol, TypeAlias

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


class Verb(Protocol):
    def register(self, verbs: Subparsers, /) -> None: ...


VERBS: tuple[Verb, ...] = ()
