"""Writes SHA256SUMS over all files of a folder, as `sha256sum -c` reads them.

Usage: python -m ci.release.checksums FOLDER…
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ci.ending import status_of
from runtime.formats import sha256_file
from runtime.formats.sha256_file import file_sha256

NAME = "SHA256SUMS"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.release.checksums", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    folders = parser.parse_args().folders
    return status_of(lambda: print(*map(write, folders), sep="\n"))


def write(folder: Path) -> Path:
    """Write the list of `folder`, anew if there is one; its path."""
    target = folder / NAME
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != target)
    sums = {path.relative_to(folder).as_posix(): file_sha256(path) for path in files}
    target.write_text(sha256_file.write(sums), encoding="utf-8", newline="")
    return target


if __name__ == "__main__":
    sys.exit(main())
