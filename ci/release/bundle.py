"""Makes the bundle of a recipe with all that is published beside it.

Usage: python -m ci.release.bundle RECIPE HUB ASSETS

HUB gets what goes to a repository of models: the bundle, or parts of 50 GB, and the card. ASSETS
gets what goes to a release: the bundle in parts below 2 GiB. Both get its bill of materials
(`.cdx.json`) and its provenance (`.intoto.json`).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from ci.ending import status_of
from ci.release import checkout, provenance, recipes, sbom
from ci.release.recipes import Recipe
from packer.parts.splitting import split
from runtime.formats.bundle import Bundle
from runtime.formats.sha256_file import file_sha256


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.release.bundle", description=__doc__)
    parser.add_argument("recipe")
    parser.add_argument("hub", type=Path)
    parser.add_argument("assets", type=Path)
    args = parser.parse_args()

    def work() -> None:
        checkout.stop_the_clock()
        make(args.recipe, args.hub, args.assets)

    return status_of(work)


def make(name: str, hub: Path, assets: Path) -> None:
    """Make everything of one recipe.

    Raises:
        InputError: there is no such recipe, or a file exists already.
    """
    recipe = recipes.named(name)
    for folder in (hub, assets):
        folder.mkdir(parents=True, exist_ok=True)
    bundle = hub / f"{name}.llamafile"
    _llamapack("pack", *recipe.pack, "--no-split", "-q", "-o", bundle)
    _llamapack("card", bundle, "-o", hub / "README.md", "--part-size", str(recipe.hub_part), "-q")
    subjects = _papers(name, hub)
    subjects |= {path.name: file_sha256(path) for path in _cut(bundle, recipe, hub, assets)}
    statement = hub / f"{name}.intoto.json"
    provenance.write(statement, subjects, {"recipe": name, "words": list(recipe.pack)})
    for path in (hub / f"{name}.cdx.json", statement, *hub.glob("*.exe")):
        shutil.copyfile(path, assets / path.name)


def _papers(name: str, hub: Path) -> dict[str, str]:
    """Write the bills of materials; the subjects of the provenance."""
    subjects: dict[str, str] = {}
    for path in sorted((*hub.glob("*.llamafile"), *hub.glob("*.exe"))):
        with Bundle.open(path) as opened:
            found = provenance.subjects_of(path, opened)
            if opened.weights:
                sbom.write(hub / f"{name}.cdx.json", opened, found[path.name])
            subjects |= found
    return subjects


def _llamapack(verb: str, *words: str | Path) -> None:
    whole = [word.resolve() if isinstance(word, Path) else word for word in words]
    command = [sys.executable, "-m", "packer", verb, *whole]
    subprocess.run(command, cwd=checkout.ROOT, check=True, stdout=sys.stderr)


def _cut(bundle: Path, recipe: Recipe, hub: Path, assets: Path) -> list[Path]:
    """Cut the bundle for both places where it is too large for them; all parts."""
    size = bundle.stat().st_size
    parts = []
    if size > recipe.asset_part:
        parts += split(bundle, assets / bundle.name, recipe.asset_part, force=False)[:-1]
    else:
        shutil.copyfile(bundle, assets / bundle.name)
    if size > recipe.hub_part:
        parts += split(bundle, hub / bundle.name, recipe.hub_part, force=False)[:-1]
        bundle.unlink()
    return parts


if __name__ == "__main__":
    sys.exit(main())
