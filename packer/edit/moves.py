"""Moves all bytes after a place in a file with fallocate(2), and moves them back.

Neither ext4 nor xfs moves all extents in one transaction, so a loss of power can leave a move half
done: the bytes before some place are finished, the bytes after it have not moved, and a hole of the
length of the move is between the two. A file without holes of its own therefore shows how far a
move came. packer/edit/undo.py says when this is asked.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass

from packer.io.file_system import block_size, collapse_range, end_of_hole, first_hole, insert_range


@dataclass(frozen=True)
class Move:
    """A range that is inserted, or removed."""

    offset: int  # bytes from the start of the file
    by: int  # bytes; negative if they are removed


def movable(file: io.FileIO, move: Move) -> bool:
    """Whether the move can be tried: at block boundaries, and with no holes of the file's own."""
    block = block_size(file.fileno())
    if move.offset % block or move.by % block:
        return False
    os.fsync(file.fileno())  # or the file system does not know its holes yet
    return first_hole(file.fileno(), 0) == os.fstat(file.fileno()).st_size


def make_move(file: io.FileIO, move: Move) -> None:
    """Make the move; it is on disk when this returns. Raises OSError: with an `errno` in
    `UNSUPPORTED` if the file system cannot."""
    if move.by > 0:
        insert_range(file.fileno(), move.offset, move.by)
    else:
        collapse_range(file.fileno(), move.offset, -move.by)
    os.fsync(file.fileno())


def move_back(descriptor: int, size: int, move: Move) -> None:
    """Undo a move of which nothing is known but that it began at most."""
    length = abs(move.by)
    present = os.fstat(descriptor).st_size
    hole = _hole_of(descriptor, move.offset, length)
    if move.by > 0:
        if present == size + length:
            _remove(descriptor, move.offset if hole is None else hole, length)
        return
    if present == size and hole is not None:
        if hole == move.offset:
            return
        _remove(descriptor, hole, length)
        os.fsync(descriptor)
        present -= length
    if present == size - length:
        insert_range(descriptor, move.offset, length)


def _hole_of(descriptor: int, offset: int, length: int) -> int | None:
    """Where the hole of a move of this length is, from `offset` on; None if there is none."""
    size = os.fstat(descriptor).st_size
    hole = first_hole(descriptor, offset)
    end = end_of_hole(descriptor, hole)
    if end == hole + length:
        return hole
    # At the end of the file the last block of data, which need not be full, takes a part of it.
    if end == size and 0 <= hole - (size - length) < block_size(descriptor):
        return size - length
    return None


def _remove(descriptor: int, offset: int, length: int) -> None:
    if offset + length == os.fstat(descriptor).st_size:
        os.ftruncate(descriptor, offset)
    else:
        collapse_range(descriptor, offset, length)
