"""Fuzzes every reader of strangers' bytes for a while; `sh ci/fuzz`, docs/fuzzing.md."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ci.ending import status_of
from ci.fuzzing import agreement, native, parsers, seeds
from ci.words import positive
from packer.io import build_cache
from packer.io.console import error, note

_MEMORY = 200  # MB that inputs may take
_PYTHON_BASE = 120  # MB that Python, its modules and what atheris counts take before
_ENVIRONMENT = {
    "ASAN_OPTIONS": "quarantine_size_mb=8:detect_stack_use_after_return=0",
    "PYTHONHASHSEED": "0",
}


@dataclass(frozen=True)
class Fuzzer:
    """One program that takes inputs."""

    name: str
    """Such as `c/zip` or `python/zip`."""
    command: Sequence[str | Path]
    seeds: str
    memory: int
    """MB."""
    max_len: int = 4096


@dataclass(frozen=True)
class Outcome:
    """What became of a fuzzer."""

    name: str
    inputs: int
    memory: int
    """MB at most."""
    finding: str = ""
    """Why it ended early, and where the input is."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.fuzzing", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all; see --list")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument(
        "--json", action="store_true", help="with --list: JSON, with names for files"
    )
    parser.add_argument("--seconds", type=positive, default=60, help="of all together; default: 60")
    parser.add_argument(
        "--each", type=positive, metavar="SECONDS", help="of each, in place of --seconds"
    )
    parser.add_argument("--inputs", type=positive, default=10**12, help="of each, at most")
    parser.add_argument("--seed", type=int, default=0, help="of chance; default: another each time")
    parser.add_argument("--jobs", type=positive, default=os.cpu_count() or 1)
    parser.add_argument(
        "--corpus", type=Path, help="folder that keeps inputs of use; default: a temporary one"
    )
    args = parser.parse_args()
    if args.list:
        listed = [{"name": name, "place": name.replace("/", "-")} for name in names()]
        print(json.dumps(listed) if args.json else "\n".join(names()))
        return 0
    wanted = args.names or names()
    if unknown := set(wanted) - set(names()):
        error(f"there is no fuzzer {min(unknown)}", f"There are {', '.join(names())}.")
        return 2
    each = args.each or max(1, args.seconds * args.jobs // len(wanted))
    return status_of(lambda: _all(wanted, each, args))


def names() -> list[str]:
    """All fuzzers."""
    both = (*parsers.PARSERS, *agreement.COMPARED)
    return [f"c/{name}" for name in native.HARNESSES] + [f"python/{name}" for name in both]


def _all(wanted: Sequence[str], seconds: int, args: argparse.Namespace) -> int:
    built = build_cache.root() / "fuzz"
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(args.jobs) as pool:
        note(f"compiling what {len(wanted)} fuzzers need")
        fuzzers = list(pool.map(lambda name: _fuzzer(name, built), wanted))
        note(f"{seconds} seconds each")
        environment = {**os.environ, **_ENVIRONMENT, "TMPDIR": scratch}
        if any(name.startswith("python/same") for name in wanted):
            environment[agreement.LIBRARY] = str(native.readers(built / "readers"))
        corpus = args.corpus or Path(scratch) / "corpus"
        limits = [f"-max_total_time={seconds}", f"-runs={args.inputs}", f"-seed={args.seed}"]

        def run(fuzzer: Fuzzer) -> Outcome:
            return _run(fuzzer, corpus / fuzzer.name, limits, environment)

        outcomes = list(pool.map(run, fuzzers))
    for one in outcomes:
        print(f"{one.name:20} {one.inputs:12,} inputs {one.memory:5} MB")
    for one in outcomes:
        if one.finding:
            error(
                f"{one.name}: {one.finding}",
                "Fix what it shows, and put the input into `tests/data/found`.",
            )
    return int(any(one.finding for one in outcomes))


def _fuzzer(name: str, built: Path) -> Fuzzer:
    language, _, short = name.partition("/")
    if language == "c":
        program = native.program(short, built / short)
        return Fuzzer(name, [program], native.HARNESSES[short].seeds, _MEMORY)
    command = [sys.executable, "-m", "ci.fuzzing.python", short]
    if kind := agreement.SEEDS.get(short):
        return Fuzzer(name, command, kind, _MEMORY + _PYTHON_BASE)
    parser = parsers.PARSERS[short]
    return Fuzzer(name, command, parser.seeds, _MEMORY + _PYTHON_BASE, parser.max_len)


def _run(
    fuzzer: Fuzzer, corpus: Path, limits: Sequence[str], environment: Mapping[str, str]
) -> Outcome:
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds.seeds(fuzzer.seeds)):
        (corpus / f"seed-{number}").write_bytes(data)
    found = Path("found") / fuzzer.name
    found.mkdir(parents=True, exist_ok=True)
    words = [
        *limits, f"-max_len={fuzzer.max_len}", f"-rss_limit_mb={fuzzer.memory}",
        f"-malloc_limit_mb={_MEMORY}", "-timeout=60", "-print_final_stats=1", "-verbosity=1",
        f"-artifact_prefix={found}/",
    ]  # fmt: skip
    log = found / "log"
    with log.open("w+", encoding="utf-8", errors="replace") as said:
        command = [*fuzzer.command, corpus, *words]
        done = subprocess.run(command, env=environment, stdout=said, stderr=said, check=False)
        said.seek(0)
        text = said.read()
    inputs = re.findall(r"^stat::number_of_executed_units: (\d+)|^#(\d+)\t", text, re.MULTILINE)
    memory = re.findall(r"^stat::peak_rss_mb: +(\d+)|rss: (\d+)Mb", text, re.MULTILINE)
    last = max((int(one or other) for one, other in inputs), default=0)
    peak = max((int(one or other) for one, other in memory), default=0)
    if done.returncode == 0 and last:
        log.unlink()
        return Outcome(fuzzer.name, last, peak)
    wrote = re.search(r"Test unit written to (\S+)", text)
    where = wrote[1] if wrote else "no input"
    return Outcome(fuzzer.name, last, peak, f"ended with {done.returncode}: {where}; see {log}")


if __name__ == "__main__":
    raise SystemExit(main())
