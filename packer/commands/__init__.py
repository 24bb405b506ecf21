"""One module per verb; each has `register(subparsers)` that adds its parser and sets `run`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from importlib import import_module
from typing import Protocol, TypeAlias, cast

from packer import __version__

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


def parser(names: Iterable[str] = VERBS) -> argparse.ArgumentParser:
    """The command line with the sub-commands of these names; by default with all."""
    top = argparse.ArgumentParser(
        prog="llamapack",
        description="Packs a portable llama.cpp runtime and GGUF weights into one file that runs.",
    )
    top.add_argument("--version", action="version", version=f"llamapack {__version__}")
    verbs = top.add_subparsers(metavar="COMMAND", required=True)
    for name in names:
        load(name).register(verbs)
    return top
