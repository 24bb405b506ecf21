"""What a join in place notes before it begins, so that it can go on after any interruption."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from packer.output import create, publish, sync_folder, temporary_name
from runtime.errors import InputError

_FORMAT = 1


@dataclass(frozen=True)
class Journal:
    """All parts were checked; the file `NAME.joining`, once the first of them, is growing."""

    parts: list[str]
    """File names, in order."""
    sizes: list[int]
    """Bytes that each had."""
    sha256: str
    """Of the whole, 64 hex digits."""
    output: str
    """Where the whole is to go, as an absolute path."""

    def save(self, path: Path) -> None:
        """Write it, on the disk when this returns.

        Raises:
            InputError: there is one already.
        """
        temporary = temporary_name(path)
        try:
            with create(temporary, 0o644) as file:
                file.write(json.dumps({"format": _FORMAT, **asdict(self)}, indent=2).encode())
                os.fsync(file.fileno())
            publish(temporary, path, force=False)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(path.parent)

    @classmethod
    def load(cls, path: Path) -> Journal:
        """Read it.

        Raises:
            InputError: it is damaged.
        """
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            if facts.pop("format") != _FORMAT:
                raise ValueError
            journal = cls(**facts)
            if len(journal.parts) != len(journal.sizes):
                raise ValueError
        except (ValueError, TypeError, KeyError, AttributeError):
            raise InputError(
                f"{path} is damaged or of a later llamapack",
                "It says how far the parts beside it were joined: do not delete them.",
            ) from None
        return journal


def journal_path(whole: Path) -> Path:
    """Where the journal for the file `whole` is."""
    return whole.with_name(f"{whole.name}.joining.json")


def growing_path(whole: Path) -> Path:
    """What the first part is called while the others are appended."""
    return whole.with_name(f"{whole.name}.joining")
