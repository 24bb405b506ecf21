"""Reads undo files, and refuses a file whose change in place was interrupted.

Such a change, also that of a GGUF by `pack --consume`, leaves `.NAME.llamapack-undo` beside the
file; packer/edit/undo.py writes, uses and describes it. It may be a stranger's: what it says counts
only if it fits the present file, and is proved only if it also states that file's inode, since its
contents may be public.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from runtime.errors import InputError, shell_word
from runtime.formats.json_input import MALFORMED, is_count, parse_json

MAGIC = b"llamapack undo 2\n"
MOVED = b"M"
WITNESS = 4096
"""Bytes of the pieces by which a file is known."""
SUM = hashlib.sha256().digest_size
_JSON_LIMIT = 1 << 20  # bytes
_SHA256 = re.compile(r"[0-9a-f]{64}")


def open_undo(place: Path, mode: str) -> BinaryIO:
    """Open an undo file; `ValueError` if it is a link, has two names, or is not a file."""
    facts = place.lstat()
    if not stat.S_ISREG(facts.st_mode) or facts.st_nlink > 1:
        raise ValueError(place)

    def no_follow(path: str, flags: int) -> int:
        return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0))

    return open(place, mode, opener=no_follow)  # type: ignore[return-value]


@dataclass(frozen=True)
class UndoFile:
    """The contents of an undo file, without the old bytes."""

    size: int
    """Bytes of the old file."""
    ranges: Sequence[tuple[int, int]]
    """Offset and length of bytes in the old file that may have been overwritten or cut off."""
    move: tuple[int, int] | None
    """Offset, and number of bytes inserted there (negative: removed)."""
    witness: Sequence[tuple[int, str]]
    """Offsets and hashes of pieces that the change leaves as they are."""
    inode: int
    head: bytes
    """Its lines before the old bytes."""
    moved: bool
    """Whether the move is known to be done; otherwise it may be."""

    @classmethod
    def read(cls, undo: BinaryIO) -> UndoFile:
        """Read it up to the old bytes, where `undo` is left; `ValueError` if it is damaged."""
        magic, line = undo.readline(len(MAGIC)), undo.readline(_JSON_LIMIT)
        if magic != MAGIC:
            raise ValueError(magic)
        try:
            facts = parse_json(line)
            size, ranges, move = facts["size"], facts["ranges"], facts["move"]
            witness, inode = facts["witness"], facts["inode"]
            _check(size, ranges, move)
            if not is_count(inode) or [w[0] for w in witness] != witness_places(size, ranges):
                raise ValueError(witness)
            if not witness or not all(len(w) == 2 and _SHA256.fullmatch(w[1]) for w in witness):
                raise ValueError(witness)
        except MALFORMED as problem:
            raise ValueError(str(problem)) from None
        head = magic + line
        end = len(head) + sum(length for _, length in ranges) + SUM
        rest = os.fstat(undo.fileno()).st_size - end
        undo.seek(end)
        if rest not in (0, len(MOVED)) or undo.read(rest) != MOVED[:rest]:
            raise ValueError(rest)
        undo.seek(len(head))
        return cls(
            size,
            [(offset, length) for offset, length in ranges],
            (move[0], move[1]) if move else None,
            [(offset, sha256) for offset, sha256 in witness],
            inode,
            head,
            rest > 0,
        )

    def fits(self, file: BinaryIO) -> bool:
        """Whether the file can be what the change has made so far of the old one."""
        present = os.fstat(file.fileno()).st_size
        offset, by = self.move or (self.size, 0)
        kept = _kept(self.size, self.ranges)[-1][1]  # the end of what stays
        if self.move and not self.moved:
            if present not in (self.size, self.size + by):
                return False
        elif present < kept + (by if kept > offset else 0):
            return False
        return all(self._is_witness(file, *piece) for piece in self.witness)

    def _is_witness(self, file: BinaryIO, offset: int, expected: str) -> bool:
        ways = [offset]
        if self.move and offset >= self.move[0]:
            there = offset + self.move[1]
            ways = [there] if self.moved else [offset, there]
        return any(way >= 0 and witness_at(file, way) == expected for way in ways)

    def is_proved(self, file: BinaryIO) -> bool:
        """Whether the change was made of this very file, which it fits."""
        return os.fstat(file.fileno()).st_ino == self.inode


def witness_places(size: int, ranges: Sequence[tuple[int, int]]) -> list[int]:
    """Offsets of the pieces by which a file of this size is known, if these ranges change."""
    kept = [(a, b) for a, b in _kept(size, ranges) if b - a >= WITNESS]
    return sorted({place for a, b in kept for place in (a, b - WITNESS)})


def witness_at(file: BinaryIO, offset: int) -> str:
    """The hash of the piece at `offset`."""
    file.seek(offset)
    return hashlib.sha256(file.read(WITNESS)).hexdigest()


def _kept(size: int, ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Begin and end of the bytes between the ranges."""
    ends = [0, *(end for offset, length in ranges for end in (offset, offset + length)), size]
    return [(a, b) for a, b in zip(ends[::2], ends[1::2], strict=True) if a < b] or [(0, 0)]


def _check(size: Any, ranges: Any, move: Any) -> None:
    """Raises `ValueError` if no change can be like that."""
    position = 0
    for offset, length in ranges:
        if not is_count(offset) or not is_count(length) or offset < position or not length:
            raise ValueError(ranges)
        position = offset + length
    if not is_count(size) or position > size:
        raise ValueError(size)
    if move is None:
        return
    offset, by = move
    if not is_count(offset) or type(by) is not int or not is_count(abs(by)) or not by:
        raise ValueError(move)
    # What is removed is in a range; what is inserted comes where a range is or ends, or first.
    if not (by > 0 and offset == 0) and not any(
        start <= offset and offset + max(-by, 0) <= start + length for start, length in ranges
    ):
        raise ValueError(move)


def undo_path(path: Path) -> Path:
    """Where the undo file of the bundle at `path` is while that is being changed in place."""
    real = path.resolve()
    return real.with_name(f".{real.name}.llamapack-undo")


def refuse_unfinished(path: Path) -> None:
    """Raises `InputError` if the bundle at `path` is in the middle of a change, or may be."""
    place = undo_path(path)
    if not os.path.lexists(place):
        return
    real = path.resolve()
    try:
        with open_undo(place, "rb") as undo, real.open("rb") as file:
            claim = UndoFile.read(undo)
            if not claim.fits(file):
                raise other_file(path)
            proved = claim.is_proved(file)
    except FileNotFoundError:
        return  # the change ended just now
    except InputError:
        raise
    except ValueError:
        raise damaged_undo(path) from None
    if proved:
        raise InputError(
            f"a change of {path} was interrupted, or is still going on",
            f"Run `llamapack edit {shell_word(real)}`: it restores the old file after an "
            "interruption.",
        )
    raise unproved(path, "otherwise see docs/files.md")


def unproved(path: Path, otherwise: str) -> InputError:
    """The error for an undo file that may come from another file's change, or a stranger."""
    place = undo_path(path)
    return InputError(
        f"{place} says that a change of {path} was interrupted, but it was not made for this file",
        f"If you did not change it, remove {place}; {otherwise}.",
    )


def other_file(path: Path) -> InputError:
    """The error for an undo file that does not fit."""
    place = undo_path(path)
    return InputError(
        f"{place} belongs to another file than the present {path}",
        f"If {path} is complete, remove {place} and check with `llamapack verify`.",
    )


def damaged_undo(path: Path) -> InputError:
    """The error for an undo file that cannot be read."""
    place = undo_path(path)
    return InputError(
        f"{place} is damaged, so llamapack cannot tell whether a change of {path} was interrupted",
        f"If you did not change it, remove {place}; otherwise get the bundle again.",
    )
