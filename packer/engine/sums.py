"""SHA256SUMS: the list of an engine's files, as `sha256sum -c` reads it, and the engine id."""

from __future__ import annotations

import hashlib
from pathlib import Path

NAME = "SHA256SUMS"


def listing(files: list[Path]) -> str:
    """One line `<64 hex digits>  <name>` per file, sorted by name."""
    lines = []
    for path in sorted(files, key=lambda path: path.name):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        lines.append(f"{digest}  {path.name}\n")
    return "".join(lines)


def engine_id(text: str) -> str:
    """The engine id: SHA-256 (hexadecimal) of the listing itself."""
    return hashlib.sha256(text.encode()).hexdigest()
