"""The whole release by one command: engines, packages, programs, bundles, papers, checksums.

Usage: python -m ci.release RECIPE… [-o DIST] [--base ADDRESS] [--without programs]

DIST/assets gets what a release page offers, DIST/wheels what a package index does, DIST/hub/RECIPE
what a repository of models does. What the build cache holds goes in; build engines first
(`llamapack engine build --all`). Nothing is uploaded: `python -m ci.release.publish` does that.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from ci.ending import status_of
from ci.release import bundle, checkout, engines, packages, programs, recipes, seal, wheels
from packer.io.console import note
from runtime.errors import InputError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.release", description=__doc__)
    parser.add_argument("recipes", nargs="+", metavar="RECIPE")
    parser.add_argument("-o", "--output", type=Path, default=Path("dist"), metavar="DIST")
    parser.add_argument("--base", metavar="ADDRESS", help="where the assets will be published")
    parser.add_argument("--without", action="append", default=[], choices=("programs",))
    args = parser.parse_args()
    frozen = "programs" not in args.without
    return status_of(lambda: release(args.recipes, args.output, args.base, frozen=frozen))


def release(names: list[str], output: Path, base: str | None, *, frozen: bool) -> None:
    """Make everything.

    Args:
        base: address of the folder that the assets will be published in.
        frozen: whether to make programs that need no Python, which takes minutes.

    Raises:
        InputError: `output` is not empty, a recipe does not exist, or something is not built.
    """
    for name in names:
        recipes.named(name)
    if output.exists() and any(output.iterdir()):
        raise InputError(f"{output} is not empty", "Move it away, or name another with `-o`.")
    if checkout.commit().modified:
        note("this checkout has changes that are not committed; the provenance will say so")
    checkout.stop_the_clock()
    assets, hub, shelf = output / "assets", output / "hub", output / "wheels"
    index = engines.export(assets, base)
    made = packages.build(assets, index)
    wheel = next(path for path in made if path.suffix == ".whl")
    wheels.write(shelf)
    for path in made:
        shutil.copyfile(path, shelf / path.name)
    if frozen:
        programs.freeze(assets, wheel)
    for name in names:
        bundle.make(name, hub / name, assets)
    for folder in (assets, shelf, *(hub / name for name in names)):
        seal.seal(folder)
        print(folder)


if __name__ == "__main__":
    sys.exit(main())
