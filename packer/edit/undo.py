"""An undo file in a bundle's folder, which makes a change in place safe against a crash.

Before the first byte of a bundle is changed, all bytes that will be overwritten or cut off are
saved in `.NAME.llamapack-undo`, which gets that name when it is complete and on disk. Removing it
makes the change final. So:

1. Without an undo file, the bundle is the old one, or the new one and on disk.
2. With an undo file, `take_back` restores the old file from any state. It only writes what the undo
   file says, to places that do not depend on how far the change or an earlier `take_back` came; so
   it can be killed and started again.

This is an undo file, and not a log of future work, so that a change that fails (for lack of space,
say) is taken back in the same way as a killed one. New end records are not appended instead, since
readers look for them in the last 64 KiB only, and superseded data would stay inside.

**Moved weights.** Where the new front is longer or shorter, all data after it are moved by
fallocate(2): one range is inserted or removed. Only files without holes are moved, so the size of
the file and the one hole in it tell how far such a move came: neither ext4 nor xfs moves all
extents in one transaction, so a loss of power can leave the hole in the middle. The move comes
first. A byte added to the undo file then states that it is done, since from then on neither size
nor holes tell. Taking back does the same in reverse: it makes the hole again, removes that byte,
then moves.

**Proof.** The undo file is beside a file that may have been downloaded, so it may be a stranger's.
All that it says must fit the present file (runtime/formats/undo_file.py), including at least one
piece of its contents and its inode, which no stranger knows. If only the inode differs, as after a
copy to another disk, the change is taken back when the user asks for it, and the present bytes are
kept.

Layout: a line that names the format, a line of JSON, the old bytes of all ranges, the SHA-256 of
all that (32 bytes), and the byte that states that the move is done, if it is.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from packer.edit.moves import Move, move_back
from packer.io.console import note
from packer.io.copy import append_range
from packer.io.file_system import punch_hole
from packer.io.output import output_file, sync_folder
from packer.io.temporary_files import remove_leftover
from runtime.errors import InputError, shell_word
from runtime.formats.undo_file import (
    MAGIC,
    MOVED,
    UndoFile,
    damaged_undo,
    open_undo,
    other_file,
    undo_path,
    unproved,
    witness_at,
    witness_places,
)

_BLOCK = 1 << 20  # bytes copied at once


@dataclass(frozen=True)
class Change:
    """Which bytes of a file a change replaces."""

    size: int  # bytes of the old file
    ranges: Sequence[tuple[int, int]]
    """Offset and length of what will be overwritten or cut off, in the old file."""
    move: Move | None = None  # an insertion or removal, inside or at the end of a range

    @property
    def leaves_a_witness(self) -> bool:
        """Whether enough stays as it is to know the file by."""
        return bool(witness_places(self.size, self.ranges))


class Undo:
    """The undo file of a change that is being made."""

    def __init__(self, path: Path, file: io.FileIO, change: Change) -> None:
        """Save the old bytes of the bundle at `path`, open as `file`, which must not be written
        before."""
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
        """State that the move is done; it must be on disk before."""
        with self._path.open("ab") as undo:
            undo.write(MOVED)
            undo.flush()
            os.fsync(undo.fileno())

    def discard(self) -> None:
        """Make the change final; all of it must be on disk before."""
        self._path.unlink()
        sync_folder(self._path.parent)


def take_back(path: Path, file: io.FileIO, *, keep: bool = False) -> bool:
    """Restore the old file if a change of it was interrupted; says whether there was one. Raises
    InputError if the undo file is damaged, or belongs to another file, or may.

    `keep`: restore also if the undo file was not made for this very file; the present bytes are
    then kept as `NAME.before-undo`.
    """
    place = undo_path(path)
    if not os.path.lexists(place):
        return False
    with _claim(path, "r+b") as (undo, claim):
        _check_sum(path, undo, claim)
        if not claim.fits(file):
            raise other_file(path)
        if not claim.is_proved(file):
            again = f"`llamapack edit --copy {shell_word(path)}` restores the old file"
            if not keep:
                raise unproved(path, f"else {again}, and keeps the present bytes in another file")
            _put_aside(path, file)
        if claim.move:
            move = Move(*claim.move)
            if claim.moved:
                _prepare_moving_back(file, undo, claim.size, move)
            move_back(file.fileno(), claim.size, move)
            os.fsync(file.fileno())
        undo.seek(len(claim.head))
        for offset, length in claim.ranges:
            file.seek(offset)
            _copy(undo, file, length)
        file.truncate(claim.size)
        os.fsync(file.fileno())
    place.unlink()
    sync_folder(place.parent)
    return True


def made_of(old: Path, file: io.FileIO) -> bool:
    """Whether `file` is the result of the change of `old`, which is gone. Raises InputError if the
    undo file is damaged."""
    with _claim(old, "rb") as (_, claim):
        return claim.moved and claim.fits(file) and claim.is_proved(file)


@contextmanager
def _claim(path: Path, mode: str) -> Iterator[tuple[BinaryIO, UndoFile]]:
    """The undo file of the bundle at `path`, and what it says. Raises InputError if it is
    damaged."""
    try:
        undo = open_undo(undo_path(path), mode)
    except ValueError:
        raise damaged_undo(path) from None
    with undo:
        try:
            claim = UndoFile.read(undo)
        except ValueError:
            raise damaged_undo(path) from None
        yield undo, claim


def _check_sum(path: Path, undo: BinaryIO, claim: UndoFile) -> None:
    total = sum(length for _, length in claim.ranges)
    sum_ = _copy(undo, None, total, hashlib.sha256(claim.head))
    if undo.read(sum_.digest_size) != sum_.digest():
        raise damaged_undo(path)


def _put_aside(path: Path, file: io.FileIO) -> None:
    """Keep the present bytes of the file under another name."""
    kept = path.with_name(f"{path.name}.before-undo")
    if os.path.lexists(kept):
        raise InputError(f"{kept} exists already", "Move it away, and run the command again.")
    size = os.fstat(file.fileno()).st_size
    with output_file(kept, needed=size, mode=0o600) as aside:
        append_range(file, 0, size, aside)
        aside.end()
    note(f"{kept} has the bytes that {path} had before")


def remove_leftovers(path: Path) -> None:
    """Remove an incomplete undo file: nothing was changed yet. Raises InputError if it is a
    folder."""
    remove_leftover(_unfinished(undo_path(path)))


def _unfinished(place: Path) -> Path:
    return place.with_name(f"{place.name}.partial")


def _prepare_moving_back(file: io.FileIO, undo: BinaryIO, size: int, move: Move) -> None:
    """Undo all but the move in a changed file with moved weights."""
    present, moved = os.fstat(file.fileno()).st_size, size + move.by
    if present > moved:
        file.truncate(moved)
    file.seek(present)
    while present < moved:  # with bytes, as a hole would be taken for that of the move
        present += file.write(bytes(min(_BLOCK, moved - present)))
    if move.by > 0:
        punch_hole(file.fileno(), move.offset, move.by)
    os.fsync(file.fileno())
    undo.seek(-len(MOVED), os.SEEK_END)
    undo.truncate()
    os.fsync(undo.fileno())


def _write(undo: BinaryIO, file: io.FileIO, change: Change) -> None:
    places = witness_places(change.size, change.ranges)
    facts = {
        "inode": os.fstat(file.fileno()).st_ino,
        "move": astuple(change.move) if change.move else None,
        "ranges": list(change.ranges),
        "size": change.size,
        "witness": [(place, witness_at(file, place)) for place in places],
    }
    head = MAGIC + json.dumps(facts).encode() + b"\n"
    undo.write(head)
    sum_ = hashlib.sha256(head)
    for offset, length in change.ranges:
        file.seek(offset)
        sum_ = _copy(file, undo, length, sum_)
    undo.write(sum_.digest())


def _copy(source: BinaryIO, target: BinaryIO | None, length: int, sum_: Any = None) -> Any:
    while length:
        data = source.read(min(_BLOCK, length))
        if not data:
            raise InputError("a file became shorter while llamapack read it", "Try again.")
        length -= len(data)
        if sum_ is not None:
            sum_.update(data)
        view = memoryview(data)
        while target is not None and view:
            view = view[target.write(view) :]
    return sum_
