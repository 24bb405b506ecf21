"""Which llamafile a program says that it is.

Facts: what `--version` prints in llamafile's `main.cpp`, `llamafile/server/main.cpp` and
`whisperfile.cpp`, 0.3 to 0.10.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from runtime.formats.zip_directory import Member

_NAMES = rb"llamafiler?|llamafile-[a-z]{1,16}|whisperfile|sdfile"
_SAID = re.compile(
    rb"(?<![\w-])(" + _NAMES + rb") v(\d{1,4}(?:\.\d{1,4}){1,3}(?:-[0-9A-Za-z.]{1,16})?)"
)
"""What `--version` prints is in the program as text."""
_NUMBER = re.compile(r" (\d+)\.(\d+)")
_LIMIT = 64 << 20  # bytes searched; the programs have about 30 MB
_BLOCK = 1 << 20
_LONGEST = 64


def program_version(path: Path, members: Iterable[Member], size: int) -> str | None:
    """Name and version, such as `llamafile 0.9.3`, if the program states them.

    Args:
        members: those of the ZIP behind the program.
        size: of the file, in bytes.
    """
    return _said(path, min((member.header_offset for member in members), default=size))


def _said(path: Path, end: int) -> str | None:
    left, before = min(end, _LIMIT), b""
    with path.open("rb") as file:
        while left and (block := file.read(min(_BLOCK, left))):
            left -= len(block)
            if found := _SAID.search(before + block):
                return f"{found[1].decode()} {found[2].decode()}"
            before = block[-_LONGEST:]
    return None


def numbers(said: str) -> tuple[int, int]:
    """The first two numbers of what `program_version` found."""
    found = _NUMBER.search(said)
    return (int(found[1]), int(found[2])) if found else (0, 0)
