"""Moves the contents of one file into another from its end on, so that both need little space.

The end of the source is copied to its place in the target, brought to the disk and only then cut
off. So a byte that the source has lost is in the target, whenever this ends; the length of the
source says how far it came, and doing it again goes on from there.
"""

from __future__ import annotations

import os
import shutil
from io import FileIO
from pathlib import Path

from packer.io.kernel_copies import copied
from packer.io.ownership import no_follow
from packer.io.progress import Advance
from runtime.errors import InputError

_LARGEST, _SMALLEST = 256 << 20, 64 << 10  # bytes moved at once; multiples of a file system's block
_PIECES = 4  # a source is moved in as many, if they are not larger; each waits for the disk
_BLOCK = 1 << 20  # bytes read at once where the kernel does not copy


def move_tail(source: Path, size: int, target: FileIO, offset: int, advance: Advance) -> None:
    """Move what is left of `source` into `target`; `source` is empty then.

    Args:
        size: bytes that `source` had at first.
        offset: where its first byte belongs in the target.
        advance: told about bytes that were moved.

    Raises:
        InputError: source and target are not as an interrupted move leaves them.
    """
    with FileIO(source, "r+", opener=no_follow) as file:
        left, length = file.seek(0, 2), target.seek(0, 2)
        if left > size or (left < size and length < offset + size):
            raise InputError(
                f"{source} has {left:,} bytes instead of {size:,}, and the rest was not joined",
                "Put the part itself there again.",
            )
        if length < offset + size:
            target.truncate(offset + size)
        step = _step(source, size)
        while left:
            count = left % step or step
            left -= count
            _copy(file, left, target, offset + left, count)
            os.fsync(target.fileno())
            file.truncate(left)
            advance(count)


def _step(source: Path, size: int) -> int:
    """Bytes to move at once: few enough that they fit on a disk that is nearly full."""
    free = shutil.disk_usage(source.parent).free
    step = min(_LARGEST, size // _PIECES, free // 4)
    return max(step // _SMALLEST, 1) * _SMALLEST


def _copy(source: FileIO, start: int, target: FileIO, offset: int, count: int) -> None:
    # It shares blocks where the file system can, and where both offsets are on its blocks.
    done = copied(source.fileno(), start, target.fileno(), offset, count)
    source.seek(start + done)
    target.seek(offset + done)
    while done < count:
        data = memoryview(source.read(min(_BLOCK, count - done)))
        if not data:
            raise InputError("a part became shorter while it was read", "Run the command again.")
        done += len(data)
        while data:
            data = data[target.write(data) or 0 :]
