"""Proves that a half-done join is what its journal says, before it goes on.

Whatever the moment of an interruption, the bytes of a part are what is left of it and, behind that,
what the growing file has at its place. So all of them can be compared with the journal's hash and
with the list of hashes, on any disk that the files were copied to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path

from packer.ownership import no_follow
from packer.parts.journal import Journal
from packer.progress import Advance, progress
from runtime.errors import InputError

_BLOCK = 1 << 20  # bytes read at once


def prove(
    paths: Sequence[Path], journal: Journal, whole: str, sums: Mapping[str, str], tip: str
) -> None:
    """Read all bytes of the whole where they lie now.

    Args:
        paths: the growing file, or the first part; then what is left of the other parts.
        whole: name of the joined file.
        sums: SHA-256 by name, as far as they are listed.
        tip: what to do if it is not proved.

    Raises:
        InputError: a file is missing, has another length or other bytes than it should.
    """
    growing = paths[0]
    grown = growing.stat().st_size
    offsets = [0, *accumulate(journal.sizes)]
    lengths = [min(grown, journal.sizes[0]), *(path.stat().st_size for path in paths[1:])]
    for path, left, size, offset in zip(paths, lengths, journal.sizes, offsets, strict=False):
        if left > size or (left < size and grown < offset + size):
            raise InputError(
                f"{path} has {left:,} bytes instead of {size:,}, and the rest was not joined", tip
            )
    total = hashlib.sha256()
    with progress("checking", offsets[-1]) as advance:
        for index, (name, path, left) in enumerate(zip(journal.parts, paths, lengths, strict=True)):
            part = hashlib.sha256()
            for file, start, end in (
                (path, 0, left),
                (growing, offsets[index] + left, offsets[index + 1]),
            ):
                _hash(file, start, end, [part, total] if name in sums else [total], advance)
            if sums.get(name, part.hexdigest()) != part.hexdigest():
                raise InputError(f"the bytes of {name} are not those of the list of hashes", tip)
    if {journal.sha256, sums.get(whole, journal.sha256)} != {total.hexdigest()}:
        raise InputError(f"{growing} and the other parts are not what was being joined", tip)


def _hash(
    path: Path, start: int, end: int, sums: Sequence[hashlib._Hash], advance: Advance
) -> None:
    with open(path, "rb", buffering=0, opener=no_follow) as file:
        file.seek(start)
        while start < end:
            data = file.read(min(_BLOCK, end - start))
            if not data:
                raise InputError(f"{path} became shorter while it was read", "Try again.")
            for sum_ in sums:
                sum_.update(data)
            start += len(data)
            advance(len(data))
