"""Tokens per second on a GPU: each module of a bundle, the CPU, and upstream's own builds.

Usage: python -m ci.bench.gpu BUNDLE [--kinds cuda,vulkan] [--recompile] [--upstream NAME=BENCH]…
                              [--shape 7b|400m] [--rounds N]

BUNDLE must hold the engine for this machine and the modules (`llamapack pack --gpu cuda,vulkan`).
`--upstream cuda=/path/of/llama-bench` names a program of upstream's that was built with that
backend on this machine, from the release that the engines are of. All run upstream's llama-bench
over one synthetic model, first in Q8_0 and then in Q4_K, turn about; the medians are printed as a
table in Markdown. Run it on an idle machine; the first round warms caches and is not counted.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from ci.bench import synthetic_model
from ci.bench.synthetic_model import BILLION_7, MILLION_400
from ci.bench.tokens import measure
from ci.ending import status_of
from ci.words import positive

_SHAPES = {"7b": BILLION_7, "400m": MILLION_400}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.bench.gpu", description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--kinds", default="cuda,vulkan")
    parser.add_argument("--recompile", action="store_true", help="also a module compiled here")
    parser.add_argument("--upstream", action="append", default=[], metavar="NAME=BENCH")
    parser.add_argument("--shape", choices=_SHAPES, default="7b")
    parser.add_argument("--rounds", type=positive, default=3)
    args = parser.parse_args()
    return status_of(lambda: compare(args))


def compare(args: argparse.Namespace) -> None:
    """Measure everything, and print the table."""
    start = ["sh", str(args.bundle.absolute())]
    programs = {"CPU": [*start, "bench", "--gpu", "disable"]}
    for kind in args.kinds.split(","):
        programs[kind] = [*start, "bench", "--gpu", kind, "-ngl", "99"]
    for pair in args.upstream:
        name, _, path = pair.partition("=")
        programs[f"upstream {name}"] = [path, "-ngl", "99"]
    with tempfile.TemporaryDirectory() as folder:
        models = _models(Path(folder), start, args.shape)
        rows = _measured(programs, models, args.rounds)
        if args.recompile:
            # From here on the compiled module takes the place of the prebuilt one.
            listed = [*start, "--gpu", "cuda", "--recompile", "--list-devices"]
            subprocess.run(listed, check=True, stdout=sys.stderr)
            again = {"cuda, recompiled": programs.get("cuda", [*start, "bench", "-ngl", "99"])}
            rows |= _measured(again, models, args.rounds)
    print(_table(rows))


def _models(folder: Path, start: list[str], shape: str) -> dict[str, Path]:
    large = synthetic_model.write(folder / "q8_0.gguf", _SHAPES[shape])
    small = folder / "q4_k.gguf"
    words = ["quantize", "--allow-requantize", str(large), str(small), "Q4_K_M"]
    subprocess.run([*start, *words], check=True, stdout=sys.stderr)
    return {"Q8_0": large, "Q4_K_M": small}


def _measured(
    programs: dict[str, list[str]], models: dict[str, Path], rounds: int
) -> dict[str, dict[str, float]]:
    """Median tokens per second by program and test."""
    rates: dict[str, dict[str, list[float]]] = {n: defaultdict(list) for n in programs}
    for turn in range(rounds + 1):
        for name, program in programs.items():
            for quantization, model in models.items():
                for test, rate in measure(program, model, "-p", 512, "-n", 128, "-r", 1).items():
                    if turn:
                        rates[name][f"{quantization} {test}"].append(rate)
    return {n: {t: statistics.median(v) for t, v in tests.items()} for n, tests in rates.items()}


def _table(rows: dict[str, dict[str, float]]) -> str:
    tests = list(next(iter(rows.values())))
    lines = [f"| | {' | '.join(tests)} |", f"|{' --- |' * (len(tests) + 1)}"]
    for name, rates in rows.items():
        lines.append(f"| {name} | {' | '.join(f'{rates[test]:,.1f}' for test in tests)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
