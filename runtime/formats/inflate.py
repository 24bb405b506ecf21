"""Decompresses members of archives piece by piece, in bounded memory whatever they hold."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from runtime.errors import InputError
from runtime.formats.zip_directory import DEFLATED64

_BLOCK = 1 << 20  # bytes given at once
# Bytes of Deflate64 taken at once. 18 bits of it can mean 64 KiB, and its decompressor gives all
# that it can: these become 15 MB at most.
_TAKEN64 = 512


def inflated(pieces: Iterator[bytes], method: int, name: str) -> Iterator[bytes]:
    """The contents of a compressed member.

    Args:
        pieces: the compressed bytes.
        method: `DEFLATED` or `DEFLATED64`.
        name: what errors call the member.

    Raises:
        InputError: it does not decompress, or Deflate64 is not installed.
    """
    if method == DEFLATED64:
        yield from _inflated64(pieces, name)
        return
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for piece in pieces:
            data = piece
            while data and not inflater.eof:
                # A limit on the output, so that a small damaged member cannot fill the memory.
                yield inflater.decompress(data, _BLOCK)
                data = inflater.unconsumed_tail
        yield inflater.flush()
    except zlib.error:
        raise _damaged(name) from None


def _inflated64(pieces: Iterator[bytes], name: str) -> Iterator[bytes]:
    try:
        from zipfile_deflate64 import deflate64
    except ImportError:
        raise InputError(
            f"{name} is compressed by Deflate64, which needs one more package",
            "`pip install zipfile-deflate64`, or unpack the archive with `7z x`.",
        ) from None
    inflater = deflate64.Deflate64()
    try:
        for piece in pieces:
            for start in range(0, len(piece), _TAKEN64):
                if inflater.eof:
                    return
                yield inflater.decompress(piece[start : start + _TAKEN64])
    except InputError:
        raise  # of the pieces; it is a ValueError too
    except ValueError:
        raise _damaged(name) from None


def _damaged(name: str) -> InputError:
    return InputError(f"{name} is damaged: it does not decompress", "Download or copy it again.")
