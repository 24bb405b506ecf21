"""Writes the archives that `llamapack engine fetch` takes, and their index.

Usage: python -m ci.release.engines FOLDER [--base ADDRESS]

Everything that the build cache holds for the present sources goes in: engines, start stubs, web UI,
all GPU modules, and the sources for `--recompile`. Nothing is compiled
but stubs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ci.ending import status_of
from packer.engines import native, pins, stubs, toolchain
from packer.engines.gpu import modules, sources
from packer.io.console import note
from packer.releases import NAME, index, pieces
from packer.releases.index import Index


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.release.engines", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--base", metavar="ADDRESS", help="where the archives will be published")
    args = parser.parse_args()
    return status_of(lambda: print(export(args.folder, args.base)))


def export(folder: Path, base: str | None = None) -> Path:
    """Write all archives and the index into `folder`; the path of the index.

    Args:
        base: address of the folder that the archives will be published in.

    Raises:
        InputError: something is not built, or a file exists already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pinned = pins.load(native.directory())
    stubs.build_stubs(stubs.STUB_TARGETS, toolchain.find(pinned).zig)
    sources.collect()
    archives = {}
    for piece in pieces.every(module for module, _ in modules.found()):
        if piece.here:
            note(f"writing the archive of {piece.name}")
            archives[piece.name] = pieces.write_archive(piece, folder)
    path = folder / NAME
    path.write_bytes(index.encode(Index(pinned.release, base, archives)))
    return path


if __name__ == "__main__":
    sys.exit(main())
