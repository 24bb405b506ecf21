"""Builds things once, from the checkout it runs in, and prints their hashes as JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ci.ending import status_of
from ci.release import packages
from packer.engines import native, pins, stubs, toolchain
from packer.engines.build import build, build_part, build_web_ui
from packer.engines.targets import named
from runtime.formats.sha256_file import file_sha256


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.reproduction.once", description=__doc__)
    parser.add_argument("things", nargs="+", metavar="THING")
    things = parser.parse_args().things
    return status_of(lambda: _print_hashes(things, int(os.environ.get("LLAMAPACK_JOBS", "1"))))


def _print_hashes(things: list[str], jobs: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        found = {
            f"{thing}: {name}": file_sha256(path)
            for thing in things
            for name, path in _made(thing, jobs, Path(scratch, thing))
        }
    print(json.dumps(found))


def _made(thing: str, jobs: int, scratch: Path) -> Iterator[tuple[str, Path]]:
    """Name and path of each file that was made."""
    if thing == "web-ui":
        yield from _files(build_web_ui())
    elif thing == "stubs":
        zig = toolchain.find(pins.load(native.directory())).zig
        for target in stubs.STUB_TARGETS:
            yield target, stubs.build_stub(target, zig, scratch)
    elif thing == "packages":
        yield from ((path.name, path) for path in packages.build(scratch, None))
    elif "/" in thing:
        target, library = thing.split("/")
        path = build_part(named(target), library, jobs)
        yield path.name, path
    else:
        yield from (
            (name, path)
            for name, path in _files(build(named(thing), jobs))
            if name != "engine.json"
        )


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        yield path.relative_to(folder).as_posix(), path


if __name__ == "__main__":
    sys.exit(main())
