"""Writes the checked-in files that are made out of the tables in `native/`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from packer.engines import native


def write(program: str, usage: str | None, made: Callable[[Path], dict[Path, str]]) -> int:
    """Parse the command line, which has no arguments, and write the texts that `made` returns."""
    argparse.ArgumentParser(prog=f"python -m {program}", description=usage).parse_args()
    for path, text in made(native.directory()).items():
        path.write_text(text, encoding="utf-8")
    return 0
