"""Builds wheel and sdist of llamapack, with the index of released engines in them.

Usage: python -m ci.release.packages FOLDER [--index FILE]
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ci.ending import status_of
from ci.release import checkout
from packer.releases import PINNED


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.release.packages", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--index", type=Path, help="llamapack-engines.json of the same release")
    args = parser.parse_args()

    def work() -> None:
        checkout.stop_the_clock()
        print(*build(args.folder, args.index), sep="\n")

    return status_of(work)


def build(folder: Path, engines: Path | None) -> list[Path]:
    """Build from the tracked files; the paths of wheel and sdist.

    Args:
        engines: the index to pin. Without it this llamapack builds engines, or is told which index
            to trust.
    """
    with tempfile.TemporaryDirectory() as scratch:
        tree, made = Path(scratch, "llamapack"), Path(scratch, "made")
        checkout.copy(tree)
        if engines:
            shutil.copyfile(engines, tree / PINNED.relative_to(checkout.ROOT))
        words: list[str | Path] = [
            *(sys.executable, "-m", "build", "--no-isolation"),
            *("--outdir", made, tree),
        ]
        subprocess.run(words, check=True, stdout=sys.stderr)
        folder.mkdir(parents=True, exist_ok=True)
        return [Path(shutil.copy(path, folder)) for path in sorted(made.iterdir())]


if __name__ == "__main__":
    sys.exit(main())
