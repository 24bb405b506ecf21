"""Runs one fuzzer of Python code: `python -m ci.fuzzing.python NAME [WORDS FOR libFuzzer]`.

atheris counts which branches of `packer` and `runtime` an input reaches, as libFuzzer does in C.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

SECONDS = 2
"""CPU time that an input may take. libFuzzer's own limit counts the time of a clock."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m ci.fuzzing.python", description=__doc__)
    parser.add_argument("name", help="see `sh ci/fuzz --list`, without `python/`")
    parser.add_argument("words", nargs=argparse.REMAINDER, help="for libFuzzer")
    asked = parser.parse_args()
    import atheris  # a package of ci/locks/fuzz.lock

    name: str = asked.name
    with atheris.instrument_imports(include=["packer", "runtime"]):
        from ci.fuzzing import agreement, parsers
    takes: dict[str, Callable[[bytes], object]] = dict(agreement.COMPARED)
    take = takes.get(name) or (lambda data: parsers.take(name, data))
    nowhere = Path(os.devnull).open("w")  # noqa: SIM115

    def bounded(data: bytes) -> None:
        began = time.process_time()
        sys.stderr, shown = nowhere, sys.stderr
        try:
            take(data)
        finally:
            sys.stderr = shown
        if time.process_time() - began > SECONDS:
            raise TimeoutError(f"an input took more than {SECONDS} seconds")

    atheris.Setup([sys.argv[0], *asked.words], bounded, enable_python_coverage=True)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
