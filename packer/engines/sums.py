"""`SHA256SUMS`: the list of a folder's files, as `sha256sum -c` reads it. Its hash is their id."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import InputError
from runtime.formats import sha256_file

NAME = "SHA256SUMS"


@dataclass(frozen=True)
class Listing:
    """The contents of a list."""

    text: bytes
    sums: dict[str, str]
    """SHA-256 (64 hex digits) by file name."""

    @property
    def id(self) -> str:
        """SHA-256 (hexadecimal) of the list itself."""
        return hashlib.sha256(self.text).hexdigest()


def listing(files: list[Path]) -> str:
    """One line `<64 hex digits>  <name>` per file, sorted by name."""
    by_name = sorted(files, key=lambda path: path.name)
    return sha256_file.write({path.name: sha256_file.file_sha256(path) for path in by_name})


def read(folder: Path) -> Listing:
    """The list in `folder`.

    Raises:
        InputError: it is missing, or a line is not `<64 hex digits>  <FILE>`.
    """
    try:
        text = (folder / NAME).read_bytes()
    except FileNotFoundError:
        raise damaged(folder, f"{NAME} is missing") from None
    sums = sha256_file.parse(text.decode("utf-8", "replace"))
    if sha256_file.write(sums).encode() != text or any("/" in name for name in sums):
        raise damaged(folder, f"{NAME} has a line that is not `SHA-256  FILE`")
    return Listing(text, sums)


def damaged(folder: Path, what: str) -> InputError:
    """The error for damaged files of the build cache."""
    return InputError(
        f"the files in {folder} are damaged: {what}",
        "Remove that folder, then run `llamapack engine build` or `add-gpu` again.",
    )
