"""Completes folders of a release: provenance of what has none yet, checksums, signatures.

Usage: python -m ci.release.seal FOLDER…
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ci.ending import status_of
from ci.release import checkout, checksums, provenance, signing
from runtime.formats.sha256_file import file_sha256

_STATEMENT = "llamapack.intoto.json"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.release.seal", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    folders = parser.parse_args().folders
    return status_of(lambda: _seal_all(folders))


def _seal_all(folders: list[Path]) -> None:
    checkout.stop_the_clock()
    for folder in folders:
        seal(folder)
        print(folder)


def seal(folder: Path) -> None:
    """Complete a folder; again if files were added to it."""
    papers = ("*.intoto.json", checksums.NAME, "*.sigstore.json", "*.sig")
    files = [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and not any(path.match(pattern) for pattern in papers)
    ]
    # Bundles have statements of their own, with their members.
    if any(path.suffix == ".whl" for path in files):
        subjects = {path.name: file_sha256(path) for path in files}
        # Another machine may have made the files, and have named what this one's cache lacks.
        provenance.write(folder / _STATEMENT, subjects, {}, earlier=folder / _STATEMENT)
    checksums.write(folder)
    signing.sign_folder(folder)


if __name__ == "__main__":
    sys.exit(main())
