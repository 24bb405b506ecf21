"""Weights and engines to measure with, and the command line that packs them."""

from __future__ import annotations

import hashlib
import os
import random
import struct
import sys
from pathlib import Path

_PIECE = 1 << 20  # bytes; the peak memory of a child is never less than that of its parent

_PROGRAM = """
import sys
from pathlib import Path
from packer import cli; from packer.engines import cache as engines, front
engine, pages = Path(sys.argv.pop(1)), Path(sys.argv.pop(1))
engines.chosen = lambda targets: {"linux-x86_64": engine}
engines.web_ui = lambda: pages
front.polyglot = lambda targets: front.Front(bytes(131072))
raise SystemExit(cli.main())
"""


def llamapack(engine: Path, *words: str | Path) -> list[str]:
    """The words of a process that runs `llamapack` with this engine."""
    pages = engine.with_name("pages")
    return [sys.executable, "-c", _PROGRAM, *map(str, (engine, pages, *words))]


def write_engine(folder: Path, size: int) -> Path:
    """An engine of `size` bytes that deflates to about half, as programs do."""
    folder.mkdir()
    noise, sum_ = random.Random(size), hashlib.sha256()
    with (folder / "llamapack-engine").open("wb") as file:
        for _ in range(0, size, _PIECE):
            piece = noise.randbytes(_PIECE // 2) + bytes(_PIECE // 2)
            sum_.update(piece)
            file.write(piece)
    (folder / "SHA256SUMS").write_text(f"{sum_.hexdigest()}  llamapack-engine\n")
    (folder / "engine.json").write_text('{"llama.cpp": "v0.4.0"}')
    return folder


def write_web_ui(folder: Path) -> Path:
    """A page, for all engines in the folder above."""
    folder.mkdir()
    (folder / "index.html").write_text("<html>")
    return folder


def write_gguf(path: Path, size: int) -> Path:
    """A GGUF with one F32 tensor of about `size` random bytes.

    Written without the `gguf` package, which takes more memory than what is measured.
    """
    elements = size // 128 * 32
    pairs = {"general.architecture": "bench", "general.name": "Bench"}
    header = struct.pack("<4sIQQ", b"GGUF", 3, 1, len(pairs) + 1)
    for key, value in pairs.items():
        header += _text(key) + struct.pack("<I", 8) + _text(value)
    header += _text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 32000)
    header += b"".join(_text(f"token{n}") for n in range(32000))
    header += _text("weights") + struct.pack("<IQIQ", 1, elements, 0, 0)
    with path.open("wb") as file:
        file.write(header + bytes(-len(header) % 32))
        for left in range(elements * 4, 0, -_PIECE):
            file.write(os.urandom(min(left, _PIECE)))
    return path


def _text(value: str) -> bytes:
    """A GGUF string."""
    return struct.pack("<Q", len(value)) + value.encode()
