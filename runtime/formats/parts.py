"""Finds the parts that a large file was cut into, and reads them as one file.

Two spellings are in use, `NAME.llamafile.cat0` and `NAME.cat0.llamafile`; numbers count from 0.
`cat` in the order of the numbers gives the file. See docs/bundle-format.md, section Parts.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from runtime.errors import InputError, shell_word
from runtime.formats.file_stream import FileRange, JoinedStream

_ENDING = ".llamafile"
_PART = re.compile(r"(?P<stem>.+)\.cat(?P<number>\d{1,6})(?P<after>\.llamafile)?", re.DOTALL)


@dataclass(frozen=True)
class PartName:
    """The name of a part, taken apart: `STEM.catNUMBERAFTER`."""

    whole: str
    """Name of the joined file."""
    number: int
    """From 0."""
    stem: str
    after: str
    """Nothing, or `.llamafile`."""

    def other(self, number: int) -> str:
        """The name of another part of the same file."""
        return f"{self.stem}.cat{number}{self.after}"

    def is_sibling(self, name: str) -> PartName | None:
        """`name` taken apart, if it is another part of the same file in the same spelling."""
        other = part_name(name)
        return other if other and (other.stem, other.after) == (self.stem, self.after) else None


def part_name(name: str) -> PartName | None:
    """A file name taken apart, or None if it is not that of a part."""
    found = _PART.fullmatch(name)
    if not found:
        return None
    stem, after = found["stem"], found["after"] or ""
    whole = f"{stem.removesuffix(_ENDING)}{after}" if after else stem
    return PartName(whole, int(found["number"]), stem, after)


@dataclass(frozen=True)
class Parts:
    """All parts of one file, in order."""

    whole: Path
    """The joined file, in the folder of the parts."""
    name: PartName
    """Of one of them."""
    paths: Sequence[Path]
    sizes: Sequence[int]
    """Bytes."""

    @property
    def size(self) -> int:
        """Bytes of the joined file."""
        return sum(self.sizes)

    def open(self) -> BinaryIO:
        """The joined file as a stream that reads the parts; the caller closes it."""
        pieces = [
            FileRange(path, 0, size) for path, size in zip(self.paths, self.sizes, strict=True)
        ]
        return io.BufferedReader(JoinedStream(pieces))


def find(path: Path) -> Parts:
    """All parts of a file, by the path of one of them or of the file that they become.

    Raises:
        InputError: it is not the name of a part, or parts are missing.
    """
    name = part_name(path.name) or PartName(path.name, 0, path.name, "")
    numbered = siblings(path.parent, name)
    if not numbered:
        if part_name(path.name) is None:
            raise InputError(
                f"{path} does not have the name of a part",
                "Name the first part, such as `NAME.llamafile.cat0` or `NAME.cat0.llamafile`.",
            )
        raise InputError(f"{path} does not exist", "Check the path.")
    if missing := [name.other(n) for n in range(max(numbered)) if n not in numbered]:
        raise _missing(path.parent, missing, len(numbered))
    paths = [numbered[number] for number in sorted(numbered)]
    for part in paths:
        if not part.is_file():
            raise InputError(f"{part} is not a regular file", "Put the part itself there.")
    sizes = [part.stat().st_size for part in paths]
    return Parts(path.with_name(name.whole), name, paths, sizes)


def siblings(folder: Path, name: PartName) -> dict[int, Path]:
    """The parts in `folder` that belong to the same file, by number.

    Raises:
        InputError: two of them have the same number, such as `cat1` and `cat01`.
    """
    numbered: dict[int, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        found = name.is_sibling(path.name)
        if not found:
            continue
        if found.number in numbered:
            raise InputError(
                f"{numbered[found.number]} and {path.name} have the same number",
                "Move away the part that does not belong to the others.",
            )
        numbered[found.number] = path
    return numbered


def of_whole(whole: Path) -> PartName:
    """How `llamapack` names the parts of the file `whole`."""
    return PartName(whole.name, 0, whole.name, "")


def refuse_part(path: Path) -> None:
    """Raise `InputError` if `path` is a part, which explains why it is not a readable bundle."""
    name = part_name(path.name)
    if not name:
        return
    count = len(siblings(path.parent, name))
    raise InputError(
        f"{path} is part {name.number + 1} of {name.whole}, of which {count} "
        f"{'part is' if count == 1 else 'parts are'} here",
        f"Join them first: `llamapack join {shell_word(path)}`.",
    )


def refuse_whole(path: Path) -> None:
    """Raise `InputError` if the file `path`, which does not exist, is here in parts."""
    there = siblings(path.parent, of_whole(path))
    if there:
        raise InputError(
            f"{path} does not exist, but {len(there)} of its parts do",
            f"Join them first: `llamapack join {shell_word(there[min(there)])}`.",
        )


def _missing(folder: Path, names: Sequence[str], there: int) -> InputError:
    listed = ", ".join(str(folder / name) for name in names[:5])
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    verb = "is" if len(names) == 1 else "are"
    return InputError(
        f"{listed}{more} {verb} missing; {there} other parts are there",
        f"Put all parts into {folder}, under the names that they were published with.",
    )
