"""One module per verb; each has `register(subparsers)` that adds its parser and sets `run`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Generator, Iterable
from importlib import import_module
from itertools import chain
from typing import Any, NoReturn, TypeAlias

import packer

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

GROUPS: dict[str, tuple[str, ...]] = {
    # Names of modules here, in the order in which they are needed.
    "Make": ("pack", "edit", "upgrade", "convert", "quantize", "assimilate"),
    "Look": ("inspect", "ls", "cat", "extract", "verify", "template", "ape"),
    "Run": ("run", "demo", "doctor", "completion"),
    "Share": ("publish", "card", "split", "join", "fetch"),
    "Engines": ("engine",),
}

VERBS = tuple(chain.from_iterable(GROUPS.values()))


def parser(names: Iterable[str] = VERBS) -> argparse.ArgumentParser:
    """The command line with these verbs; the imports of all would double the time of `inspect`."""
    top = _Parser(
        prog="llamapack",
        description="Packs a portable llama.cpp runtime and GGUF weights into one file that runs.",
        epilog="`llamapack COMMAND --help` lists the options of a command.",
        formatter_class=_InGroups,
    )
    top.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    verbs = top.add_subparsers(metavar="COMMAND", required=True, title=argparse.SUPPRESS)
    for name in names:
        import_module(f"{__name__}.{name}").register(verbs)
    return top


def print_json(value: Any) -> None:
    """Print JSON for programs: sorted, so that two runs can be compared."""
    print(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False))


class _Parser(argparse.ArgumentParser):
    """argparse's own ignores that its help cannot be written."""

    def print_help(self, file: Any = None) -> None:
        print(self.format_help(), end="", file=file, flush=True)


class _Version(argparse.Action):
    """argparse's own action reads the version for every command line, and that takes a while."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> NoReturn:
        print(f"llamapack {packer.__version__}")
        parser.exit()


class _InGroups(argparse.HelpFormatter):
    """Commands under the names of their groups."""

    def _iter_indented_subactions(
        self, action: argparse.Action
    ) -> Generator[argparse.Action, None, None]:
        verbs: Iterable[argparse.Action] = getattr(action, "_get_subactions", tuple)()
        yield from verbs

    def _format_action(self, action: argparse.Action) -> str:
        text = super()._format_action(action)
        if isinstance(action, argparse._SubParsersAction):
            return text.partition("\n")[2]  # the first line is the metavar alone
        title = next((one for one, (first, *_) in GROUPS.items() if first == action.dest), None)
        return f"\n{title}:\n{text}" if title else text


__all__ = []
"""Modules that other packages may use."""
