"""The flags of `pack` about a model's papers."""

from __future__ import annotations

import argparse
from typing import Any

from runtime.errors import InputError


def add_defaults(group: argparse._ArgumentGroup) -> None:
    """Add those that become default arguments of the bundle."""
    group.add_argument(
        "--ctx-size", type=_tokens, metavar="N", help="default context size in tokens"
    )
    group.add_argument(
        "--sampling",
        action="append",
        type=_setting,
        metavar="NAME=VALUE|none",
        help="sampling default such as temperature=0.7; repeatable; default: values of "
        "card and generation_config.json of the model's repository; none: without these",
    )


def add_papers(group: argparse._ArgumentGroup) -> None:
    """Add those about card and licences."""
    group.add_argument(
        "--card",
        metavar="FILE|hf:ORG/REPO|none",
        help="the base model's card; default: README.md of the model's repository",
    )
    group.add_argument(
        "--card-field",
        action="append",
        type=_card_field,
        metavar="NAME=YAML",
        help="front matter for the card such as license=gemma; repeatable",
    )
    group.add_argument(
        "--license", action="append", metavar="FILE", help="licence of the weights; repeatable"
    )


def _tokens(word: str) -> int:
    if not word.isdecimal():
        raise argparse.ArgumentTypeError(f"{word!r} is not a number of tokens")
    return int(word)


# Not imported at the top: YAML takes a while, and few command lines have these flags.
def _setting(word: str) -> tuple[str, Any]:
    from packer.metadata.sampling import setting

    return setting(word)


def _card_field(word: str) -> tuple[str, Any]:
    from packer.metadata.fields import checked
    from packer.metadata.front_matter import parsed

    name, sign, text = word.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"{word!r} is not NAME=VALUE")
    try:
        return checked(name, parsed(text, f"card field {name}"))
    except InputError as problem:
        raise argparse.ArgumentTypeError(f"{problem.message}. {problem.tip}") from None
