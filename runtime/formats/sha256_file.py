"""SHA-256 of files, and lists of them as `sha256sum` has them: `<64 hex digits>  <name>` per line.

GNU coreutils manual, section "cksum output modes": a name with a line feed, carriage return or
backslash has these escaped, and its line begins with a backslash. `*` before a name means binary.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

_BLOCK = 1 << 20  # bytes
_LINE = re.compile(r"(?P<escaped>\\?)(?P<sha256>[0-9a-fA-F]{64}) [ *](?P<name>.+)", re.DOTALL)
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
_UNESCAPED = {escape: char for char, escape in _ESCAPES.items()}


class Readable(Protocol):
    """A binary file or stream."""

    def readinto(self, space: Any, /) -> int | None: ...


class Digesting(Protocol):
    """A hash of `hashlib`."""

    def update(self, data: memoryview, /) -> None: ...

    def hexdigest(self) -> str: ...


def file_sha256(path: Path, advance: Callable[[int], object] = lambda _: None) -> str:
    """SHA-256 of a file in lower-case hex; `advance` gets the number of bytes done since."""
    with path.open("rb", buffering=0) as file:
        return hash_rest(file, hashlib.sha256(), advance)


def hash_rest(file: Readable, digest: Digesting, advance: Callable[[int], object]) -> str:
    """Add the rest of a file to a digest; lower-case hex digits."""
    space = memoryview(bytearray(_BLOCK))
    while count := file.readinto(space):
        digest.update(space[:count])
        advance(count)
    return digest.hexdigest()


def parse(text: str) -> dict[str, str]:
    """SHA-256 (64 lower-case hex digits) by name. Lines of any other form are left out."""
    sums = {}
    for line in text.removeprefix("\ufeff").split("\n"):
        found = _LINE.fullmatch(line.removesuffix("\r"))
        if found:
            name = found["name"]
            if found["escaped"]:
                name = re.sub(r"\\[\\nr]", lambda match: _UNESCAPED[match[0]], name)
            sums[name.removeprefix("./")] = found["sha256"].lower()
    return sums


def differing(folder: Path, sums: Mapping[str, str]) -> list[str]:
    """The files named in `sums` that cannot be read or have another SHA-256."""

    def differs(path: Path, sha256: str) -> bool:
        try:
            return file_sha256(path) != sha256
        except OSError:
            return True

    return [name for name, sha256 in sums.items() if differs(folder / name, sha256)]


def write(sums: Mapping[str, str]) -> str:
    """The text of such a list; `sums` is SHA-256 by name."""
    return "".join(map(_line, sums, sums.values()))


def _line(name: str, sha256: str) -> str:
    escaped = re.sub(r"[\\\n\r]", lambda match: _ESCAPES[match[0]], name)
    return f"{'' if escaped == name else chr(92)}{sha256}  {escaped}\n"
