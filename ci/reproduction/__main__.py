"""Builds things twice, as differently as one machine can, and compares the bytes.

Usage: python -m ci.reproduction [THING…] [--work DIR]

THING is `web-ui`, `stubs`, `packages`, a target's engine (`linux-x86_64`, minutes each), one
library of it (`linux-x86_64/ggml-base`), or `everything`. Default: ggml-base and one CPU module.
The two builds have checkouts and caches in folders of other names, other time zones and languages,
and one compiler at a time against one more than there are processors.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ci.ending import status_of
from ci.release import checkout
from packer.engines import native, pins, source
from packer.engines.targets import TARGETS
from packer.io.console import Exit, error, note

_SAMPLE = ("linux-x86_64/ggml-base", "linux-x86_64/ggml-cpu-haswell")
EVERYTHING = ("web-ui", "stubs", "packages", *TARGETS)
_BUILDERS = {
    "first": {"TZ": "UTC", "LC_ALL": "C", "LLAMAPACK_JOBS": "1"},
    "the second one": {
        "TZ": "Asia/Kolkata",
        "LC_ALL": "C.UTF-8",
        "LLAMAPACK_JOBS": str((os.cpu_count() or 1) + 1),
    },
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.reproduction", description=__doc__)
    parser.add_argument("things", nargs="*", metavar="THING", default=list(_SAMPLE))
    parser.add_argument("--work", type=Path, help="where to build; default: a temporary folder")
    args = parser.parse_args()
    things = list(EVERYTHING) if args.things == ["everything"] else args.things
    for thing in things:
        if thing.partition("/")[0] not in EVERYTHING:
            error(f"there is no {thing} to build", f"There are {', '.join(EVERYTHING)}.")
            return 2
    return status_of(lambda: _compared(things, args.work))


def _compared(things: list[str], work: Path | None) -> int:
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        first, second = (_built(things, Path(scratch, name), name) for name in _BUILDERS)
    different = [name for name in first if first[name] != second.get(name)]
    for name, sha256 in first.items():
        print(f"{'differs' if name in different else 'same'} {sha256} {name}")
    if different or first.keys() != second.keys():
        error(f"two builds differ in {', '.join(different) or 'what they made'}")
        return 1
    return 0


def _built(things: list[str], folder: Path, name: str) -> dict[str, str]:
    """SHA-256 of everything made, by name."""
    note(f"building {', '.join(things)} in {folder}")
    tree, cache = folder / "llamapack", folder / "cache"
    # A repository of its own, since a release asks for its commit, with what is not committed yet.
    subprocess.run(["git", "clone", "--quiet", checkout.ROOT, tree], check=True)
    checkout.copy(tree)
    pinned = pins.load(native.directory())
    copied = cache / "source" / f"llama.cpp-{pinned.release}"
    shutil.copytree(source.ready(pinned), copied, symlinks=True)
    environment = {
        **os.environ,
        **_BUILDERS[name],
        "LLAMAPACK_BUILD_CACHE": str(cache),
        "PYTHONPATH": str(tree),
        "SOURCE_DATE_EPOCH": str(checkout.commit().time),
    }
    done = subprocess.run(
        [sys.executable, "-m", "ci.reproduction.once", *things],
        cwd=tree,
        env=environment,
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        raise Exit(done.returncode)
    found: dict[str, str] = json.loads(done.stdout)
    # Two caches of zig and npm take gigabytes.
    shutil.rmtree(folder)
    return found


if __name__ == "__main__":
    sys.exit(main())
