"""What a join in place notes before it begins, so that it can go on after any interruption.

The journal lies beside files that may have been downloaded, so it may be a stranger's. It names
parts by their siblings' names only and no place for the whole; what it says about bytes counts once
packer/parts/resumption.py has compared it with them.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from packer.io.output import output_file
from packer.io.ownership import check_exclusive, no_follow
from runtime.errors import InputError
from runtime.formats.json_input import MALFORMED, is_count, parse_json
from runtime.formats.parts import PartName

_FORMAT = 1
_LIMIT = 4 << 20  # bytes
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Journal:
    """All parts were checked; the file `NAME.joining`, once the first of them, is growing."""

    parts: list[str]
    """File names, in order."""
    sizes: list[int]
    """Bytes that each had."""
    sha256: str
    """Of the whole, 64 hex digits."""

    def save(self, path: Path) -> None:
        """Write it, on the disk when this returns.

        Raises:
            InputError: there is one already.
        """
        with output_file(path, mode=0o644) as file:
            file.write(json.dumps({"format": _FORMAT, **asdict(self)}, indent=2).encode())

    @classmethod
    def load(cls, path: Path, name: PartName) -> Journal:
        """Read it.

        Args:
            name: of one of the parts; the journal must name all parts of that file, in order.

        Raises:
            FileNotFoundError: there is none.
            InputError: it is damaged, of a later format, or about other files.
        """
        tip = f"If the parts are whole, remove {path}; else download the parts again."
        check_exclusive(path, tip, names=2)  # a crash may leave its temporary name
        with open(path, "rb", opener=no_follow) as file:
            data = file.read(_LIMIT + 1)
        try:
            facts = parse_json(data, limit=_LIMIT)
            if facts["format"] != _FORMAT:
                raise ValueError
            return cls._checked(facts, name)
        except MALFORMED:
            raise InputError(
                f"{path} is damaged, of a later llamapack, or about other files than these parts",
                tip,
            ) from None

    @classmethod
    def _checked(cls, facts: dict[str, Any], name: PartName) -> Journal:
        journal = cls(facts["parts"], facts["sizes"], facts["sha256"])
        found = [name.is_sibling(part) for part in journal.parts]
        numbers = [part.number if part else None for part in found]
        if not numbers or numbers != list(range(len(journal.sizes))):
            raise ValueError
        if not all(is_count(size) and size for size in journal.sizes):
            raise ValueError
        if not is_count(sum(journal.sizes)):
            raise ValueError
        if not _SHA256.fullmatch(journal.sha256):
            raise ValueError
        return journal


def journal_path(whole: Path) -> Path:
    """Where the journal for the file `whole` is."""
    return whole.with_name(f"{whole.name}.joining.json")


def growing_path(whole: Path) -> Path:
    """What the first part is called while the others are appended."""
    return whole.with_name(f"{whole.name}.joining")
