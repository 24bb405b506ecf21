"""Single files out of npm packages: fetched as a tarball, checked, never installed."""

from __future__ import annotations

import base64
import hashlib
import shutil
import tarfile
from pathlib import Path

from packer.engine import logged, npm
from runtime.errors import InputError


def download(package: str, version: str, node: str, folder: Path, log: Path) -> Path:
    """Fetch the tarball of an npm package into `folder`, without installing anything.

    Args:
        node: the oldest Node.js that may be used.
        log: what npm prints goes there.

    Raises:
        InputError: npm is missing or fails.
    """
    tool = npm.find(node)
    spec = f"{package}@{version}"
    words = [*tool.command, "pack", spec, "--ignore-scripts", "--pack-destination", str(folder)]
    logged.run(words, f"fetching {spec}", log, cwd=folder, env=tool.environment())
    tarballs = list(folder.glob("*.tgz"))
    if len(tarballs) != 1:
        raise InputError(
            f"fetching {spec}: npm left {len(tarballs)} tarballs",
            f"everything it printed is in `{log}`",
        )
    return tarballs[0]


def check_integrity(tarball: Path, expected: str) -> None:
    """Compare the SHA-512 of `tarball` with `expected`, written as npm does (`sha512-BASE64`).

    Raises:
        InputError: it differs.
    """
    with tarball.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    actual = f"sha512-{base64.b64encode(digest).decode()}"
    if actual != expected:
        raise InputError(
            f"{tarball.name}: not the pinned file. Expected {expected}, actual {actual}",
            "try again; if it stays so, the package was replaced at its source: do not use it",
        )


def extract(tarball: Path, member: str, destination: Path) -> Path:
    """Copy one file out of a tarball, and nothing else.

    Raises:
        InputError: it is not in there, or the tarball is damaged.
    """
    try:
        with tarfile.open(tarball) as archive:
            file = archive.extractfile(member)
            if file is None:
                raise InputError(f"{tarball.name}: `{member}` is not a file")
            with file, destination.open("wb") as copy:
                shutil.copyfileobj(file, copy, 1 << 20)
    except KeyError:
        raise InputError(f"{tarball.name}: it holds no `{member}`") from None
    except (tarfile.TarError, EOFError) as problem:
        raise InputError(f"{tarball.name}: {problem}") from None
    return destination
