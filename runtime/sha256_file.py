"""Reads and writes lists of SHA-256 as `sha256sum` does: `<64 hex digits>  <name>` per line.

GNU coreutils manual, section "cksum output modes": a name with a line feed, carriage return or
backslash has these escaped, and its line begins with a backslash. `*` in front of a name says that
it was read as binary, which makes no difference.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

_LINE = re.compile(r"(?P<escaped>\\?)(?P<sha256>[0-9a-fA-F]{64}) [ *](?P<name>.+)", re.DOTALL)
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
_UNESCAPED = {escape: char for char, escape in _ESCAPES.items()}


def parse(text: str) -> dict[str, str]:
    """SHA-256 (64 lower-case hex digits) by name. Lines of any other form are left out."""
    sums = {}
    for line in text.split("\n"):
        found = _LINE.fullmatch(line.removesuffix("\r"))
        if found:
            name = found["name"]
            if found["escaped"]:
                name = re.sub(r"\\[\\nr]", lambda match: _UNESCAPED[match[0]], name)
            sums[name.removeprefix("./")] = found["sha256"].lower()
    return sums


def differing(folder: Path, sums: Mapping[str, str]) -> list[str]:
    """The files of a folder, of those named, that cannot be read or have another SHA-256."""
    return [name for name, sha256 in sums.items() if _sha256(folder / name) != sha256]


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def write(sums: Mapping[str, str]) -> str:
    """The text of such a list; `sums` is SHA-256 by name."""
    return "".join(map(_line, sums, sums.values()))


def _line(name: str, sha256: str) -> str:
    escaped = re.sub(r"[\\\n\r]", lambda match: _ESCAPES[match[0]], name)
    return f"{'' if escaped == name else chr(92)}{sha256}  {escaped}\n"
