"""Runs one fuzzer of Python code: `python -m ci.fuzzing.python NAME [WORDS FOR libFuzzer]`.

atheris counts which branches of `packer` and `runtime` an input reaches, as libFuzzer does in C.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import atheris

SECONDS = 2
"""CPU time that an input may take. libFuzzer's own limit counts the time of a clock."""


def main() -> None:
    name = sys.argv.pop(1)
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

    atheris.Setup(sys.argv, bounded, enable_python_coverage=True)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
