"""`llamapack demo`: packs the demo model, asks it a question, prints answer and file."""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from packer.commands import Subparsers
from packer.io.console import note
from runtime.errors import InputError

_MODEL = "demo.gguf"
_QUESTION = "What is a llamafile?"


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "demo", help="pack the demo model and ask it a question; builds the engine first if needed"
    )
    parser.add_argument(
        "question", nargs="?", default=_QUESTION, help=f"question to ask; default: {_QUESTION}"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE|DIR", help="output file or folder; default: demo.llamafile"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from packer.engines import targets
    from packer.engines.build import build
    from packer.io.output_place import output_place

    with output_place(args.output) as place:
        for target in targets.for_this_machine():
            build(target)
        output = place.file(Path("demo.llamafile"))
        _pack(output)
    note(f"asking {output}: {args.question}")
    print(_answer(output, args.question))
    print(output)


def _pack(output: Path) -> None:
    """Pack the model as a user would. Only an earlier demo is ever replaced."""
    from packer import commands
    from packer.io.data_folders import data_folder
    from packer.packing.make import make

    model = data_folder("packer/demo_model") / _MODEL
    words = ["pack", str(model), "-o", str(output), "--quiet"]
    if _is_demo(output):
        words.append("--force")
    make(vars(commands.parser(["pack"]).parse_args(words)))


def _is_demo(path: Path) -> bool:
    from runtime.formats.bundle import Bundle

    try:
        with Bundle.open(path) as bundle:
            return _MODEL in bundle.members
    except InputError:
        return False


def _answer(bundle: Path, question: str) -> str:
    done = subprocess.run(
        ["sh", str(bundle.resolve()), "--chat", "--temp", "0"],
        input=question + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0 or not done.stdout.strip():
        raise InputError(
            f"{bundle} does not answer: {done.stderr.strip() or f'status {done.returncode}'}",
            f"Start it by hand to see more: `sh {bundle} --chat -v`",
        )
    return done.stdout.strip()
