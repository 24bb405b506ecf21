"""An undo file beside a bundle: what makes a change in place safe against a crash at any moment.

Before the first byte of a bundle is changed, all bytes that will be overwritten or cut off are put
into `.NAME.llamapack-undo`, which takes that name when it is complete and on disk. Removing it is
what makes the change final. So:

- no undo file: the bundle is the old one, or the new one and on disk;
- an undo file: whatever the bundle's bytes are, `take_back` makes the old file of them. It only
  writes what the undo file says, to places that do not depend on how far the change or an earlier
  `take_back` came; so being killed in it and starting again does no harm.

An undo file, and not a log of what is to be done: what fails on the way, for lack of space say, is
taken back as what was killed. And not new end records appended to the file: readers look for these
in the last 64 KiB only, and what is superseded would stay inside.

**Moved weights.** Where the new front is longer or shorter, all behind it is moved by fallocate(2):
one range is inserted or removed. A file without holes is moved only, so how far such a move came
can be told afterwards, by the size of the file and the one hole in it: neither ext4 nor xfs moves
all extents in one transaction, so that a loss of power can leave the hole in the middle. The move
comes first, and a byte added to the undo file says that it is done, since from then on neither size
nor holes tell. Taking back does the same in reverse: it makes the hole again, takes that byte away,
then moves.

Layout: a line that names the format, a line of JSON, the old bytes of all ranges, the SHA-256 of
all that (32 bytes), and the byte that says that the move is done, if it is.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from packer.disk.fallocate import punch_hole
from packer.edit.moves import Move, move_back
from packer.output import sync_folder
from runtime.errors import InputError
from runtime.unfinished import undo_path

_MAGIC = b"llamapack undo 1\n"
_MOVED = b"M"
_BLOCK = 1 << 20  # bytes copied at once
WITNESS = 4096
"""Bytes of the pieces that a file is known by; of a shorter one it cannot be told."""
_JSON_LIMIT = 1 << 20  # bytes


@dataclass(frozen=True)
class Change:
    """Which bytes of a file a change replaces."""

    size: int
    """Bytes of the old file."""
    ranges: Sequence[tuple[int, int]]
    """Offset and length of what will be overwritten or cut off, in the old file."""
    move: Move | None = None
    """What is inserted or removed, inside or at the end of a range."""


class Undo:
    """The undo file of a change that is being made."""

    def __init__(self, path: Path, file: io.FileIO, change: Change) -> None:
        """Put the old bytes aside; nothing may be written to `file` before.

        Args:
            path: of the bundle.
            file: the same, open.
        """
        self._path = undo_path(path)
        remove_leftovers(path)
        unfinished = _unfinished(self._path)
        descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as undo:
                _write(undo, file, change)
                undo.flush()
                os.fsync(undo.fileno())
            unfinished.replace(self._path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        sync_folder(self._path.parent)

    def moved(self) -> None:
        """State that the move is done; call it when that is on disk."""
        with self._path.open("ab") as undo:
            undo.write(_MOVED)
            undo.flush()
            os.fsync(undo.fileno())

    def discard(self) -> None:
        """Make the change final; call it when all of it is on disk."""
        self._path.unlink()
        sync_folder(self._path.parent)


def take_back(path: Path, file: io.FileIO) -> bool:
    """Make the old file again if a change of it was interrupted; says whether there was one.

    Args:
        path: of the bundle.
        file: the same, open for reading and writing.

    Raises:
        InputError: the undo file is damaged, or belongs to another file.
    """
    place = undo_path(path)
    try:
        undo = place.open("r+b")
    except FileNotFoundError:
        return False
    with undo:
        facts, data_offset, moved = _read(undo, place)
        change = Change(facts["size"], [(o, n) for o, n in facts["ranges"]], _move(facts))
        if not _is_witness(file, facts["witness"], change.move, moved):
            raise InputError(
                f"{place} belongs to another file than the present {path}",
                f"If `{path}` is a new file, remove the other one.",
            )
        if change.move:
            if moved:
                _prepare_moving_back(file, undo, change.size, change.move)
            move_back(file.fileno(), change.size, change.move)
            os.fsync(file.fileno())
        undo.seek(data_offset)
        for offset, length in change.ranges:
            file.seek(offset)
            _copy(undo, file, length)
        file.truncate(change.size)
        os.fsync(file.fileno())
    place.unlink()
    sync_folder(place.parent)
    return True


def made_of(old: Path, file: io.FileIO) -> bool:
    """Whether `file` is what the change of the file at `old`, which is gone, has made of that.

    Raises:
        InputError: the undo file of `old` is damaged.
    """
    place = undo_path(old)
    with place.open("rb") as undo:
        facts, _, moved = _read(undo, place)
        return moved and _is_witness(file, facts["witness"], _move(facts), moved)


def remove_leftovers(path: Path) -> None:
    """Remove an undo file that was not complete, so that nothing was changed yet."""
    _unfinished(undo_path(path)).unlink(missing_ok=True)


def _unfinished(place: Path) -> Path:
    return place.with_name(f"{place.name}.partial")


def _move(facts: Any) -> Move | None:
    return Move(**facts["move"]) if facts["move"] else None


def _prepare_moving_back(file: io.FileIO, undo: BinaryIO, size: int, move: Move) -> None:
    """From a changed file with moved weights to one in which nothing but the move was done."""
    present, moved = os.fstat(file.fileno()).st_size, size + move.by
    if present > moved:
        file.truncate(moved)
    file.seek(present)
    while present < moved:  # with bytes, as a hole would be taken for that of the move
        present += file.write(bytes(min(_BLOCK, moved - present)))
    if move.by > 0:
        punch_hole(file.fileno(), move.offset, move.by)
    os.fsync(file.fileno())
    undo.seek(-len(_MOVED), os.SEEK_END)
    undo.truncate()
    os.fsync(undo.fileno())


def _write(undo: BinaryIO, file: io.FileIO, change: Change) -> None:
    facts = {
        "move": asdict(change.move) if change.move else None,
        "ranges": list(change.ranges),
        "size": change.size,
        "witness": _witness(file, change),
    }
    head = _MAGIC + json.dumps(facts).encode() + b"\n"
    undo.write(head)
    sum_ = hashlib.sha256(head)
    for offset, length in change.ranges:
        file.seek(offset)
        sum_ = _copy(file, undo, length, sum_)
    undo.write(sum_.digest())


def _read(undo: BinaryIO, place: Path) -> tuple[Any, int, bool]:
    """What it says, where the old bytes begin, and whether the move is done."""
    magic, line = undo.readline(len(_MAGIC)), undo.readline(_JSON_LIMIT)
    try:
        facts: Any = json.loads(line) if magic == _MAGIC else None
        total = sum(length for _, length in facts["ranges"])
    except (ValueError, KeyError, TypeError):
        raise _damaged(place) from None
    data_offset = undo.tell()
    end = data_offset + total + hashlib.sha256().digest_size
    if os.fstat(undo.fileno()).st_size not in (end, end + len(_MOVED)):
        raise _damaged(place)
    sum_ = _copy(undo, None, total, hashlib.sha256(magic + line))
    if undo.read(len(sum_.digest())) != sum_.digest():
        raise _damaged(place)
    return facts, data_offset, undo.read() == _MOVED


def _witness(file: io.FileIO, change: Change) -> list[tuple[int, str]]:
    """Offsets and hashes of pieces that the change leaves as they are, to know the file by."""
    ends = [0]
    for offset, length in sorted(change.ranges):
        ends += [offset, offset + length]
    ends.append(change.size)
    kept = [(a, b) for a, b in zip(ends[::2], ends[1::2], strict=True) if b - a >= WITNESS]
    places = {place for a, b in kept for place in (a, b - WITNESS)}
    return [(place, _hash(file, place)) for place in sorted(places)]


def _is_witness(
    file: io.FileIO, witness: Sequence[tuple[int, str]], move: Move | None, moved: bool
) -> bool:
    """Whether the pieces are where the change leaves them.

    Args:
        moved: whether the move is known to be done; before that, it may be.
    """
    for offset, expected in witness:
        ways = [offset]
        if move and offset >= move.offset:
            ways = [offset + move.by] if moved else [offset, offset + move.by]
        if all(_hash(file, way) != expected for way in ways):
            return False
    return True


def _hash(file: io.FileIO, offset: int) -> str:
    file.seek(offset)
    return hashlib.sha256(file.read(WITNESS)).hexdigest()


def _copy(source: BinaryIO, target: BinaryIO | None, length: int, sum_: Any = None) -> Any:
    while length:
        data = source.read(min(_BLOCK, length))
        if not data:
            raise InputError("a file became shorter while it was read", "Try again.")
        length -= len(data)
        if sum_ is not None:
            sum_.update(data)
        view = memoryview(data)
        while target is not None and view:
            view = view[target.write(view) :]
    return sum_


def _damaged(place: Path) -> InputError:
    return InputError(
        f"{place} is damaged, so the interrupted change cannot be taken back",
        "Download or copy the bundle again, and remove that file.",
    )
