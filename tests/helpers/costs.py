"""What the worst input of a reader costs, measured in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SECONDS, MEMORY = 2, 500_000_000
"""CPU time, and bytes; the start of Python and of llamapack is part of them."""

PEAK = """
import atexit, sys
atexit.register(lambda: sys.stderr.write(open("/proc/self/status").read()))
"""
"""Python that a command runs first, for `peak`."""

COMMAND = "import runpy; runpy.run_module('packer', run_name='__main__')"
"""`llamapack` with the words that follow."""

# Not from outside: a child's memory as the system counts it begins with that of its parent.
_MEASURED = """
import atexit, re, resource, sys, time
resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
@atexit.register
def tell():
    peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]
    print(f"\\ncost {time.process_time()} {peak}", file=sys.stderr)
"""


def peak(stderr: str) -> int:
    """The most bytes of memory that a process had at once."""
    (found,) = re.findall(r"VmHWM:\s+(\d+) kB", stderr)
    return int(found) * 1024


def cheap(code: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Python code with these words; it must end within the limits, with whatever status."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED + code, *words],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    text, _, cost = done.stderr.rpartition("\ncost ")
    assert cost, (done.returncode, done.stderr[-500:])
    seconds, kilobytes = map(float, cost.split())
    assert "Traceback" not in text, text[-2000:]
    assert seconds < SECONDS, (seconds, text[-500:])
    assert kilobytes * 1024 < MEMORY, (kilobytes, text[-500:])
    done.stderr = text
    return done
