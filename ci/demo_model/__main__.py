"""Trains the demo model and its adapter, and asks them the fixed questions.

Usage: python -m ci.demo_model train [--out FILE] [--steps N] [--threads N]
       python -m ci.demo_model lora [--model FILE] [--out FILE] [--steps N] [--threads N]
       python -m ci.demo_model check [GGUF] [--verbose] [--engine LLAMA]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ci.ending import status_of
from ci.words import positive
from runtime.errors import InputError

_REPOSITORY = Path(__file__).resolve().parents[2]
_DEMO = _REPOSITORY / "packer" / "demo_model" / "demo.gguf"
_ADAPTER = _REPOSITORY / "tests" / "data" / "demo-lora.gguf"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.demo_model", description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    train = verbs.add_parser("train", help="learn vocabulary and weights: minutes on two CPU cores")
    train.add_argument("--out", type=Path, default=_DEMO)
    train.set_defaults(run=_train, steps=2400)
    lora = verbs.add_parser("lora", help="learn the pirate adapter: seconds")
    lora.add_argument("--model", type=Path, default=_DEMO)
    lora.add_argument("--out", type=Path, default=_ADAPTER)
    lora.set_defaults(run=_lora, steps=100)
    for verb in (train, lora):
        verb.add_argument("--steps", type=positive)
        verb.add_argument("--threads", type=positive, default=2)
    check = verbs.add_parser("check", help="ask the fixed questions")
    check.add_argument("gguf", type=Path, nargs="?", default=_DEMO)
    check.add_argument("--verbose", action="store_true")
    check.add_argument("--engine", type=Path, help="llama.cpp's `llama`: must answer the same")
    check.set_defaults(run=_check)
    args = parser.parse_args()
    return status_of(lambda: _with_pytorch(args))


def _with_pytorch(args: argparse.Namespace) -> int:
    try:
        status: int = args.run(args)
    except ModuleNotFoundError as problem:
        raise InputError(
            f"there is no {problem.name} here; the demo model is trained with it",
            "`pip install '.[demo-training]'` brings it.",
        ) from None
    return status


def _train(args: argparse.Namespace) -> int:
    from ci.demo_model.train import train

    return train(args.out, args.steps, args.threads)


def _lora(args: argparse.Namespace) -> int:
    from ci.demo_model.lora import train

    return train(args.model, args.out, args.steps, args.threads)


def _check(args: argparse.Namespace) -> int:
    from ci.demo_model.check import check

    return check(args.gguf, verbose=args.verbose, llama=args.engine)


if __name__ == "__main__":
    sys.exit(main())
