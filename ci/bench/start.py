"""What the way through shell script and stub costs at each start after the first.

Usage: python -m ci.bench.start [--rounds N]

A bundle's `--version` against the same of its engine in the cache, turn about: milliseconds until
the first line has been read.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ci.ending import status_of
from ci.words import positive

MODEL = Path(__file__).parents[2] / "packer" / "demo_model" / "demo.gguf"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.bench.start", description=__doc__)
    parser.add_argument("--rounds", type=positive, default=100)
    args = parser.parse_args()
    return status_of(lambda: compare(args.rounds))


def compare(rounds: int) -> None:
    """Measure, and print the medians and what they have over the engine's."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "demo.llamafile"
        subprocess.run(
            [sys.executable, "-m", "packer", "pack", str(MODEL), "-o", str(bundle), "-q"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        os.environ["LLAMAPACK_CACHE"] = str(Path(folder) / "cache")
        (Path(folder) / "cache").mkdir(mode=0o700)
        first = first_line(["sh", str(bundle), "--version"])
        (engine,) = Path(folder).glob("cache/engines/*/llamapack-engine")
        os.environ["LLAMAPACK_BUNDLE"] = str(bundle)
        starts = {
            "engine": [str(engine), "--version"],
            "dash": ["dash", str(bundle), "--version"],
            "bash": ["bash", str(bundle), "--version"],
        }
        times: dict[str, list[float]] = {name: [] for name in starts}
        for _ in range(rounds):
            for name, command in starts.items():
                times[name].append(first_line(command))
    medians = {name: round(statistics.median(values), 2) for name, values in times.items()}
    over = {name: round(value - medians["engine"], 2) for name, value in medians.items()}
    print(
        json.dumps({"first_ms": round(first, 1), "ms": medians, "ms_over_engine": over}, indent=2)
    )


def first_line(command: list[str]) -> float:
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        line = process.stdout.readline()
        milliseconds = (time.perf_counter() - start) * 1000
        process.stdout.read()
    if not line:
        raise SystemExit(f"{command} printed nothing")
    return milliseconds


if __name__ == "__main__":
    sys.exit(main())
