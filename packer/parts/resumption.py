"""Proves that a half-done join is what its journal says, before it goes on.

Whatever the moment of an interruption, the bytes of a part are what is left of it and, behind that,
what the growing file has at its place. So all of them can be compared with the journal's hash and
with the list of hashes, on any disk that the files were copied to.

A hash of bytes that were chosen proves nothing about the bytes beside them. So each byte of each
file must be one of the whole, or a copy of one: lengths are those that `move_tail` leaves, and what
is in the growing file at the place of a part that is there is nothing yet, or the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path

from packer.io.ownership import no_follow
from packer.io.progress import Advance, progress
from packer.parts.journal import Journal
from runtime.errors import InputError
from runtime.formats.zip_directory import (
    END,
    END64,
    END_MAGIC,
    LOCATOR64,
    LOCATOR64_MAGIC,
    MAX16,
    MAX32,
)

_BLOCK = 1 << 20  # bytes read at once
_TAIL = MAX16 + END.size + LOCATOR64.size
"""Bytes at the end of a file that have its end record, and the locator in front of that."""
_WRITTEN = bytes([0] + [255] * 255)  # for `translate`


def prove(
    paths: Sequence[Path], journal: Journal, whole: str, sums: Mapping[str, str], tip: str
) -> bool:
    """Read all bytes of the whole where they lie now.

    Args:
        paths: the growing file, or the first part; then what is left of the other parts.
        whole: name of the joined file.
        sums: SHA-256 by name, as far as they are listed.
        tip: what to do if it is not proved.

    Returns:
        whether the whole has the length that the end record of its ZIP archive says.

    Raises:
        InputError: a file is missing, has another length or other bytes than it should.
    """
    growing = paths[0]
    grown = growing.stat().st_size
    offsets = [0, *accumulate(journal.sizes)]
    lengths = [journal.sizes[0], *(path.stat().st_size for path in paths[1:])]
    # The parts in front of this one are in the growing file, the ones behind it are as they were.
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
    # The bytes of the magic may occur by chance behind the record.
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
    """What is left of a part is written to its place, so nothing else may be lost there."""
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
