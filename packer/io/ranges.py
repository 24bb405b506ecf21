"""Appends a range of one file to another: by sharing blocks, by the kernel, or by reading it."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from packer.io.fallocate import block_size, end_of_hole, first_hole
from packer.io.kernel_copies import copied, shared
from packer.io.output import OutputFile
from packer.io.progress import Advance
from runtime.errors import InputError

_PIECE = 8 << 20  # bytes


def append_range(
    source: io.FileIO,
    start: int,
    count: int,
    output: OutputFile,
    *,
    use: Callable[[bytes], object] | None = None,
    advance: Advance = lambda _: None,
) -> None:
    """Append `count` bytes of `source` from `start` on. Holes stay holes.

    Args:
        use: given all these bytes in order, to be hashed for example.
        advance: told about bytes that are done.

    Raises:
        InputError: `source` is shorter.
    """
    if os.fstat(source.fileno()).st_size < start + count:
        raise InputError(f"{source.name!s} is shorter than it states", "Download or copy it again.")
    common = _share(source, start, count, output)
    if use is not None:
        for piece in _pieces(start, common):
            use(_read(source, *piece))
    if common:
        advance(common)
    for offset, length, is_data in _extents(source, start + common, count - common):
        for place, size in _pieces(offset, length):
            if use is None and is_data and _copied(source, place, size, output):
                pass
            elif not is_data:
                output.skip(size)
                if use is not None:
                    use(bytes(size))
            else:
                data = _read(source, place, size)
                output.write(data)
                if use is not None:
                    use(data)
            advance(size)


def shares_blocks(source: io.FileIO, folder: Path) -> bool:
    """Whether files in `folder` can share blocks with `source`."""
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        output = OutputFile(file)
        return _share(source, 0, block_size(source.fileno()), output) > 0


def _share(source: io.FileIO, start: int, count: int, output: OutputFile) -> int:
    """Share blocks where the file system can do that; the number of bytes that now are shared."""
    block = block_size(output.fileno())
    whole = count // block * block
    if not whole or start % block or output.position % block:
        return 0
    if not shared(source.fileno(), start, output.fileno(), output.position, whole):
        return 0
    output.skip(whole)
    return whole


def _copied(source: io.FileIO, start: int, count: int, output: OutputFile) -> bool:
    """Let the kernel copy; False if it cannot."""
    done = copied(source.fileno(), start, output.fileno(), output.position, count)
    output.skip(done)
    if 0 < done < count:
        raise InputError(f"{source.name!s} became shorter while llamapack read it", "Try again.")
    return done == count


def _extents(source: io.FileIO, start: int, count: int) -> Iterator[tuple[int, int, bool]]:
    """Offset, length, and whether there are data or a hole."""
    end = start + count
    while start < end:
        hole = min(first_hole(source.fileno(), start), end)
        if hole > start:
            yield start, hole - start, True
        start = hole
        if start < end:
            data = min(end_of_hole(source.fileno(), start), end)
            if data == start:  # holes cannot be told after all
                yield start, end - start, True
                return
            yield start, data - start, False
            start = data


def _pieces(start: int, count: int) -> Iterator[tuple[int, int]]:
    for offset in range(start, start + count, _PIECE):
        yield offset, min(_PIECE, start + count - offset)


def _read(source: io.FileIO, start: int, count: int) -> bytes:
    source.seek(start)
    data = source.read(count) or b""
    while len(data) < count:
        more = source.read(count - len(data))
        if not more:
            raise InputError(
                f"{source.name!s} became shorter while llamapack read it", "Try again."
            )
        data += more
    return data
