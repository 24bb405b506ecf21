"""Files of strangers: weights and arguments, and no engine."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

from helpers.repository import DEMO

ALIGNMENT = 64


def write_data(path: Path, args: str | None = None, *, weights: bool = True, **texts: str) -> Path:
    """A ZIP of stored members.

    Args:
        args: the text of `.args`; None: there is none.
        weights: whether it holds the demo model.
        texts: other members, with `__` for a dot.
    """
    members = {name.replace("__", "."): text.encode() for name, text in texts.items()}
    if args is not None:
        members[".args"] = args.encode()
    if weights:
        members["demo.gguf"] = DEMO.read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            assert archive.fp
            padding = -(archive.fp.tell() + 30 + len(name) + 4) % ALIGNMENT
            info.extra = struct.pack("<2H", 0x1234, padding) + bytes(padding)
            archive.writestr(info, data)
    return path
