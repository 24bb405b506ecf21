"""What C and C++ read is what Python reads, and what one refuses the other refuses."""

from __future__ import annotations

import ctypes
import io
import os
from collections.abc import Callable
from functools import cache

from runtime.errors import InputError
from runtime.formats import args_file, zip_directory

LIBRARY = "LLAMAPACK_FUZZ_READERS"
"""The environment's name for the library of C readers, `native.readers`."""


@cache
def _reader(name: str) -> Callable[[bytes, int], bytes | None]:
    function = ctypes.CDLL(os.environ[LIBRARY])[name]
    function.restype = ctypes.c_char_p
    function.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    return function


def _same(reader: str, data: bytes, python: str | None) -> None:
    found = _reader(reader)(data, len(data))
    other = None if found is None else found.decode()
    assert other == python, f"C reads {other!r}, Python {python!r}"


def _zip(data: bytes) -> None:
    _same("zip_listing", data, _listing(data))


def _listing(data: bytes) -> str | None:
    file = io.BytesIO(data)
    try:
        found = zip_directory.read_directory(file, "x")
    except InputError:
        return None
    rows = [f"{len(found.members)} {found.offset} {found.end}"]
    for member in found.members.values():
        try:
            place = zip_directory.data_offset(file, member, "x")
        except InputError:
            place = -1
        numbers = member.method, member.flags, member.crc32, member.compressed_size, member.size
        rows.append(" ".join(map(str, (member.name.encode().hex(), *numbers, place))))
    return "\n".join(rows)


def _args(data: bytes) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    try:
        python = "".join(f"{word.encode().hex()} " for word in args_file.parse(text))
    except InputError:
        python = None
    _same("args_listing", data, python)


COMPARED = {"same_zip": _zip, "same_args": _args}
"""By name."""

SEEDS = {"same_zip": "zip", "same_args": "args"}
"""Which inputs they begin with."""
