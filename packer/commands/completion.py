"""`llamapack completion`: prints a script that completes commands and options in a shell."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from packer.commands import Subparsers

SHELLS = ("bash", "zsh", "fish")


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "completion",
        help="print a script that completes commands and options in a shell",
        description='For bash: `eval "$(llamapack completion bash)"`. docs/commands.md names the '
        "files for zsh and fish.",
    )
    parser.add_argument("shell", choices=SHELLS, help="shell to print the script for")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    import shtab

    from packer.commands import parser

    top = parser()
    for action in _actions(top):
        if action.nargs != 0 and not action.choices:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(top, args.shell))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The options and arguments of a parser and of its sub-commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                yield from _actions(one)
        else:
            yield action
