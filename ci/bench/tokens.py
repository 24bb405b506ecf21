"""Tokens per second of a bundle's engine against upstream's own build on this machine.

Usage: python -m ci.bench.tokens [--rounds N] [--threads N]

Both run upstream's llama-bench over one synthetic model of 400 million parameters (Q8_0), turn
about; the ratios of the medians are printed as JSON. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from ci import upstream
from ci.bench import synthetic_model
from ci.ending import status_of
from ci.words import positive
from packer.engines import cache


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.bench.tokens", description=__doc__)
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--threads", type=positive, default=os.cpu_count())
    args = parser.parse_args()
    return status_of(lambda: compare(args.rounds, args.threads))


def compare(rounds: int, threads: int) -> None:
    """Measure, and print the medians and their ratios."""
    programs = {"upstream": [str(upstream.ready(upstream.BENCH))]}
    for target in ("linux-x86_64", "linux-x86_64-static"):
        if folder := cache.find(target):
            programs[target] = [str(folder / "llamapack-engine"), "bench"]
    with tempfile.TemporaryDirectory() as scratch:
        model = synthetic_model.write(Path(scratch) / "model.gguf")
        rates: dict[str, dict[str, list[float]]] = {name: {} for name in programs}
        for _ in range(rounds):
            for name, program in programs.items():
                for test, rate in measure(program, model, threads).items():
                    rates[name].setdefault(test, []).append(rate)
    median = {
        name: {test: round(statistics.median(values), 2) for test, values in tests.items()}
        for name, tests in rates.items()
    }
    ratio = {
        name: {test: round(rate / median["upstream"][test], 3) for test, rate in tests.items()}
        for name, tests in median.items()
    }
    print(json.dumps({"tokens_per_second": median, "over_upstream": ratio}, indent=2))


def measure(program: list[str], model: Path, threads: int) -> dict[str, float]:
    """Tokens per second for a prompt of 256 tokens and for 32 tokens written."""
    words = ["-m", model, "-t", threads, "-p", "256", "-n", "32", "-r", "2", "-o", "json"]
    done = subprocess.run([*program, *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{program[0]} ended with {done.returncode}: {done.stderr[-500:]}")
    return {
        "prompt" if row["n_prompt"] else "generation": row["avg_ts"]
        for row in json.loads(done.stdout)
    }


if __name__ == "__main__":
    sys.exit(main())
