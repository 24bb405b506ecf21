"""What a join in place notes before it begins, and the proof that the files are in that state.

The journal is beside files that may have been downloaded, so it may be a stranger's. It names parts
by their siblings' names only, and no place for the whole. What it says about bytes counts once
`prove` has compared it with them.

Whatever the moment of an interruption, the bytes of a part are what is left of it, followed by what
the growing file has at its place. So all of them can be compared with the journal's hash and with
the list of hashes, on any disk that the files were copied to.

A hash of bytes that were chosen proves nothing about the bytes next to them. So each byte of each
file must be one of the whole, or a copy of one: lengths are those that an interrupted move leaves,
and at the place of an existing part the growing file has nothing yet, or the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from packer.io.console import Advance, progress
from packer.io.output import check_exclusive, no_follow, output_file
from runtime.errors import InputError
from runtime.formats.json_input import MALFORMED, is_count, parse_json
from runtime.formats.parts import PartName
from runtime.formats.zip_directory import (
    END,
    END64,
    END_MAGIC,
    LOCATOR64,
    LOCATOR64_MAGIC,
    MAX16,
    MAX32,
)

_FORMAT = 1
_LIMIT = 4 << 20  # bytes
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Journal:
    """All parts were checked; the file `NAME.joining`, once the first of them, is growing."""

    parts: list[str]  # file names, in order
    sizes: list[int]  # bytes that each had
    sha256: str  # of the whole, 64 hex digits

    def save(self, path: Path) -> None:
        """Write it, on the disk when this returns. Raises InputError if there is one already."""
        with output_file(path, mode=0o644) as file:
            file.write(json.dumps({"format": _FORMAT, **asdict(self)}, indent=2).encode())

    @classmethod
    def load(cls, path: Path, name: PartName) -> Journal:
        """Read the journal of the parts of `name`'s file. Raises FileNotFoundError if there is
        none, InputError if it is damaged, of a later format, or about other files."""
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


_BLOCK = 1 << 20  # bytes read at once
_TAIL = MAX16 + END.size + LOCATOR64.size
"""Bytes at the end of a file that have its end record, and the locator in front of that."""
_WRITTEN = bytes([0] + [255] * 255)  # for `translate`


def prove(
    paths: Sequence[Path], journal: Journal, whole: str, sums: Mapping[str, str], tip: str
) -> bool:
    """Read all bytes of the whole where they are now: in the growing file (or the first part), and
    in the rest of the other parts. Returns whether the end record of the ZIP archive states the
    whole's length.

    Raises InputError, with this `tip`, if a file is missing, or has another length or other bytes.
    """
    growing = paths[0]
    grown = growing.stat().st_size
    offsets = [0, *accumulate(journal.sizes)]
    lengths = [journal.sizes[0], *(path.stat().st_size for path in paths[1:])]
    # Parts before this one are in the growing file, parts after it are unchanged.
    current = next((index for index, left in enumerate(lengths) if index and left), len(paths))
    for index, (path, left, size) in enumerate(zip(paths, lengths, journal.sizes, strict=True)):
        begun = index == current and left < size and grown == offsets[index + 1]
        if index >= current and left != size and not begun:
            raise InputError(
                f"{path} has {left:,} bytes instead of {size:,}, and the rest was not joined", tip
            )
    if grown not in offsets[current : current + 2]:
        raise InputError(f"{growing} has {grown:,} bytes, and no join leaves it so", tip)
    tail = b""
    total = hashlib.sha256()
    with progress("checking", offsets[-1]) as advance:
        for index, (name, path, left) in enumerate(zip(journal.parts, paths, lengths, strict=True)):
            part = hashlib.sha256()
            for file, start, end in (
                (path, 0, left),
                (growing, offsets[index] + left, offsets[index + 1]),
            ):
                for data in _blocks(file, start, end, advance):
                    total.update(data)
                    if name in sums:
                        part.update(data)
                    tail = (tail + data[-_TAIL:])[-_TAIL:]
            if index == current and grown > offsets[index]:
                _check_copy(path, growing, offsets[index], left, tip)
            if sums.get(name, part.hexdigest()) != part.hexdigest():
                raise InputError(f"the bytes of {name} are not those of the list of hashes", tip)
    if {journal.sha256, sums.get(whole, journal.sha256)} != {total.hexdigest()}:
        raise InputError(f"{growing} and the other parts are not what was being joined", tip)
    return _ends_as_stated(tail, offsets[-1] - len(tail))


def _ends_as_stated(tail: bytes, start: int) -> bool:
    """Whether an end record in `tail`, which begins at `start` of the whole, states its place."""
    position = tail.rfind(END_MAGIC)
    # The bytes of the magic may occur by chance after the record.
    while position >= 0 and _stated_place(tail, position) != start + position:
        position = tail.rfind(END_MAGIC, 0, position)
    return position >= 0


def _stated_place(tail: bytes, position: int) -> int | None:
    """Where in the file the end record at `position` of `tail` says that it is."""
    if position + END.size > len(tail):
        return None
    *_, count, length, offset, comment = END.unpack_from(tail, position)
    if position + END.size + comment > len(tail):
        return None
    if MAX32 not in (length, offset) and count != MAX16:
        return int(offset + length)
    place = position - LOCATOR64.size
    if place < 0 or tail[place : place + 4] != LOCATOR64_MAGIC:
        return None
    return int(LOCATOR64.unpack_from(tail, place)[2] + END64.size + LOCATOR64.size)


def _check_copy(part: Path, growing: Path, offset: int, left: int, tip: str) -> None:
    """The rest of a part is written to its place, so no other bytes may be lost there."""
    for data, there in zip(
        _blocks(part, 0, left), _blocks(growing, offset, offset + left), strict=True
    ):
        written = int.from_bytes(there.translate(_WRITTEN)) & int.from_bytes(data)
        if written != int.from_bytes(there):
            raise InputError(f"{growing} has other bytes where {part} belongs", tip)


def _blocks(path: Path, start: int, end: int, advance: Advance = lambda _: None) -> Iterator[bytes]:
    with open(path, "rb", opener=no_follow) as file:
        file.seek(start)
        while start < end:
            data = file.read(min(_BLOCK, end - start))
            if not data:
                raise InputError(f"{path} became shorter while it was read", "Try again.")
            yield data
            start += len(data)
            advance(len(data))
