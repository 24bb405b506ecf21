"""The default arguments that the packer's user writes: `--args`, or a file of them."""

from __future__ import annotations

import argparse
from pathlib import Path

from runtime.errors import InputError

_ARGS_LIMIT = 1 << 20  # bytes


def own_args(args: argparse.Namespace) -> str:
    """What `--args` or `--args-file` say."""
    if args.args is not None:
        return str(args.args)
    if args.args_file is None:
        return ""
    path: Path = args.args_file
    if not path.is_file() or path.stat().st_size > _ARGS_LIMIT:
        raise InputError(f"{path} is no file of arguments", "Give a text file of words.")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text", "Give a text file of words.") from None
