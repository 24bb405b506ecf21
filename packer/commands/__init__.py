"""One module per verb; each has `register(subparsers)` that adds its parser and sets `run`."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import Protocol, TypeAlias, cast

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


class Verb(Protocol):
    def register(self, verbs: Subparsers, /) -> None: ...


VERBS: tuple[str, ...] = (
    # Names of modules here; one per line, so that two of them can be added side by side.
    "ape",
    "assimilate",
    "card",
    "cat",
    "convert",
    "demo",
    "doctor",
    "edit",
    "engine",
    "extract",
    "fetch",
    "inspect",
    "join",
    "ls",
    "pack",
    "publish",
    "quantize",
    "run",
    "split",
    "template",
    "upgrade",
    "verify",
)


def load(name: str) -> Verb:
    """Import one verb. Only the one that is asked for: the others' imports would double the time
    that `inspect` takes."""
    return cast(Verb, import_module(f"{__name__}.{name}"))
