"""Tokens per second of this machine's engines against upstream's own build.

Usage: python -m ci.bench.tokens [MODEL.gguf…] [--cpu NAME]… [--rounds N] [--threads N]
                                 [--prompt N] [--tokens N] [--json]

Without models: those of `sh ci/models`, and two synthetic ones in Q8_0 (0.4 and 1.2 GB). All
programs run upstream's llama-bench, turn about, first with the machine to themselves and then
beside one process that never waits. Prints medians as a table in Markdown; in brackets what they
are of upstream's. `--cpu` also measures that CPU variant of the engine. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ci import upstream
from ci.bench import synthetic_model
from ci.bench.synthetic_model import BILLION_1, MILLION_400
from ci.ending import status_of
from ci.words import positive
from packer.engines import cache
from packer.io import build_cache
from packer.io.console import note
from runtime.errors import InputError

Rates = dict[str, dict[str, float]]
"""Tokens per second: by program, and by test (`prompt`, `generation`, `busy prompt`, …)."""

_REAL = ("SmolLM2-135M-Instruct.Q4_1.gguf", "gemma-3-270m-q4_k_m.gguf")
_SYNTHETIC = {"synthetic 0.4 GB Q8_0": MILLION_400, "synthetic 1.2 GB Q8_0": BILLION_1}
_UPSTREAM = "upstream"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.bench.tokens", description=__doc__)
    parser.add_argument("models", nargs="*", type=Path, metavar="MODEL.gguf")
    parser.add_argument("--cpu", action="append", default=[], metavar="NAME")
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--threads", type=positive, default=os.cpu_count())
    parser.add_argument("--prompt", type=positive, default=256, help="tokens that are read")
    parser.add_argument("--tokens", type=positive, default=32, help="tokens that are written")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    args = parser.parse_args()
    return status_of(lambda: _compare(args))


def measure(program: Sequence[str], model: Path, *words: object) -> dict[str, float]:
    """Tokens per second of one start of llama-bench.

    Args:
        words: more for it, such as `-p 256 -n 32`.

    Returns:
        what it measured: `prompt`, `generation`.

    Raises:
        InputError: it failed.
    """
    command = [*program, "-m", str(model), "-o", "json", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise InputError(f"{program[0]} ended with status {done.returncode}: {reason}")
    return {
        "prompt" if row["n_prompt"] else "generation": row["avg_ts"]
        for row in json.loads(done.stdout)
    }


def _compare(args: argparse.Namespace) -> None:
    programs = {_UPSTREAM: [str(upstream.ready(upstream.BENCH))], **_engines(args.cpu)}
    if (load := os.getloadavg()[0]) > 0.5:
        note(f"this machine has other work to do (load {load:.1f}), which the figures will show")
    words = ("-t", args.threads, "-p", args.prompt, "-n", args.tokens, "-r", 1)
    with tempfile.TemporaryDirectory() as scratch:
        rates = {
            name: _measured(programs, model, words, args.rounds)
            for name, model in _models(args.models, Path(scratch))
        }
    print(json.dumps(rates, indent=2) if args.json else _table(rates))


def _engines(variants: Sequence[str]) -> dict[str, list[str]]:
    found = {}
    for target in ("linux-x86_64", "linux-x86_64-static", "linux-aarch64", "linux-aarch64-static"):
        if os.uname().machine in target and (folder := cache.find(target)):
            found[target] = [str(folder / "llamapack-engine"), "bench"]
            if not target.endswith("-static"):
                found |= {f"{target} {one}": [*found[target], "--cpu", one] for one in variants}
    if not found:
        raise InputError("this machine's engines are missing", "Run `llamapack engine build`.")
    return found


def _models(given: list[Path], scratch: Path) -> Iterator[tuple[str, Path]]:
    """Name and file of each. A synthetic one is there until the next is asked for."""
    for path in given or [build_cache.root() / "models" / name for name in _REAL]:
        if not path.is_file():
            raise InputError(f"{path}: no such file", "Run `sh ci/models`, or name other models.")
        yield path.stem, path
    for name, shape in ({} if given else _SYNTHETIC).items():
        yield name, synthetic_model.write(scratch / "model.gguf", shape)


def _measured(
    programs: Mapping[str, list[str]], model: Path, words: Sequence[object], rounds: int
) -> Rates:
    rates: dict[str, dict[str, list[float]]] = {name: {} for name in programs}
    for _ in range(rounds):
        for name, program in programs.items():
            tests = measure(program, model, *words)
            with _busy():
                busy = measure(program, model, *words)
            for test, rate in (tests | {f"busy {one}": busy[one] for one in busy}).items():
                rates[name].setdefault(test, []).append(rate)
    return {
        name: {test: round(statistics.median(values), 2) for test, values in tests.items()}
        for name, tests in rates.items()
    }


@contextmanager
def _busy() -> Iterator[None]:
    """Beside one process that wants a processor all the time."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _table(rates: Mapping[str, Rates]) -> str:
    tests = list(next(iter(rates.values()))[_UPSTREAM])
    head = ["model", "program", *tests, "generation busy / quiet"]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * 2}{' ---: |' * (len(head) - 2)}"]
    for model, programs in rates.items():
        for name, found in programs.items():
            cells = [
                f"{found[one]:,.1f} ({found[one] / programs[_UPSTREAM][one]:.2f})" for one in tests
            ]
            kept = found["busy generation"] / found["generation"]
            lines.append(f"| {model} | {name} | {' | '.join(cells)} | {kept:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
