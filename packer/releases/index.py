"""The index of a release: which archives there are, and the SHA-256 that each must have.

A released llamapack holds the index of its own release, so whoever trusts the one trusts the other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runtime.errors import InputError
from runtime.formats.json_input import MALFORMED, parse_json

FORMAT = 1
NAME = "llamapack-engines.json"
"""Its file name among the archives."""
PINNED = Path(__file__).with_name(NAME)
"""The index of this llamapack's own release; absent where none was made."""


@dataclass(frozen=True)
class Archive:
    """One archive of a release."""

    file: str
    """Name without folders."""
    id: str
    """Of the piece in it, as `packer.releases.pieces` has it."""
    sha256: str
    """64 lower-case hex digits."""
    size: int
    """Bytes."""


@dataclass(frozen=True)
class Index:
    """Everything that was released together."""

    llama_cpp: str
    """llama.cpp's release."""
    base: str | None
    """Address of the folder that holds the archives, if it is known."""
    archives: Mapping[str, Archive]
    """By the name of the piece."""


def encode(index: Index) -> bytes:
    """The bytes of an index: JSON, keys sorted."""
    document = {
        "archives": {name: asdict(archive) for name, archive in index.archives.items()},
        "base": index.base,
        "format": FORMAT,
        "llama.cpp": index.llama_cpp,
    }
    return f"{json.dumps(document, indent=2, sort_keys=True)}\n".encode()


def parse(text: bytes, where: str) -> Index:
    """Read an index.

    Args:
        where: what errors call it.

    Raises:
        InputError: it is none, or of a later format.
    """
    try:
        document = parse_json(text)
        version = document["format"]
        if version != FORMAT:
            raise InputError(
                f"{where} is of index format {version!r}; this llamapack knows {FORMAT}",
                "Upgrade llamapack.",
            )
        base = document["base"]
        archives = {str(name): _archive(facts) for name, facts in document["archives"].items()}
        return Index(str(document["llama.cpp"]), base and str(base), archives)
    except InputError:
        raise
    except MALFORMED:
        raise InputError(
            f"{where} is not an index of released engines", f"Name the `{NAME}` of a release."
        ) from None


def _archive(facts: Any) -> Archive:
    archive = Archive(**facts)
    strings = (archive.file, archive.id, archive.sha256)
    if not all(isinstance(text, str) for text in strings) or not isinstance(archive.size, int):
        raise TypeError
    if len(archive.sha256) != 64 or archive.sha256.strip("0123456789abcdef"):
        raise ValueError
    if archive.file in ("", ".", "..") or not archive.file.isprintable():
        raise ValueError
    if set(archive.file) & set('/\\:?#"'):
        raise ValueError
    return archive
