"""What `-o` says: a file, or a folder that the output goes into under its usual name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from packer.io.output import terminable
from runtime.errors import InputError

STDOUT = "-"


@dataclass(frozen=True)
class OutputPlace:
    """Where an output goes; nowhere in particular if nothing was said."""

    path: Path | None = None
    is_folder: bool = False

    def file(self, default: Path) -> Path:
        """The output's path; `default` without `-o`, and its name in a folder."""
        if self.path is None:
            return default
        return self.path / default.name if self.is_folder else self.path

    @property
    def folder(self) -> Path:
        """The folder that the output will be in."""
        if self.path is None:
            return Path()
        return self.path if self.is_folder else self.path.parent


@contextmanager
def output_place(word: str | None, *, is_folder: bool = False) -> Iterator[OutputPlace]:
    """What `-o` says: a folder (in any case with `is_folder`) if it is one or ends in `/`, or a
    file. Missing folders are made, and removed again if the body fails. Raises InputError if the
    word is empty or `-`, or the folder cannot be made."""
    if word is None:
        yield OutputPlace()
        return
    if not word or word == STDOUT:
        raise InputError(
            "`-o -` means stdout, which takes only text" if word else "`-o` has an empty value",
            "Name a file or a folder; for a file with the name `-`, write `./-`.",
        )
    path = Path(word)
    place = OutputPlace(path, is_folder or path.is_dir() or word.endswith(("/", os.sep)))
    with _made(place.folder):
        yield place


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    missing = [one for one in (folder, *folder.parents) if not os.path.lexists(one)]
    above = missing[-1].parent if missing else folder
    if not above.is_dir():
        raise InputError(f"{above} is not a directory", "Choose another place with `-o`.")
    if not missing:
        yield
        return
    with terminable():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            yield
        except BaseException:
            for one in missing:
                with suppress(OSError):  # it is not empty: another program has put a file there
                    one.rmdir()
            raise
