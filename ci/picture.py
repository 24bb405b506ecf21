"""Draws what is inside a bundle: `python -m ci.picture` writes docs/bundle.svg, which README shows.

Usage: python -m ci.picture
"""

from __future__ import annotations

import argparse
from pathlib import Path
from xml.sax.saxutils import escape

PICTURE = Path(__file__).parents[1] / "docs" / "bundle.svg"

# The file from its first byte to its last: name, contents, reader, colour of the reader.
_SHELL, _STUB, _ENGINE, _TOOLS = "#fde68a", "#fdba74", "#93c5fd", "#d1d5db"
_PARTS = (
    (
        "head",
        "shell script, headers for Windows and APE",
        "a shell, Windows, an APE loader",
        _SHELL,
    ),
    ("start stubs", "one small program for each system", "the head starts one", _STUB),
    ("engines", "llama.cpp for each system and processor", "the stub unpacks one", _STUB),
    ("GPU modules", "Vulkan, Metal, CUDA; or their sources", "the engine loads one", _ENGINE),
    ("web UI", "pages for the browser", "the engine serves them", _ENGINE),
    ("weights", "model.gguf, aligned to 64 KiB", "the engine maps them, no copy", _ENGINE),
    ("settings", "default arguments, chat template", "the engine obeys them", _ENGINE),
    ("manifest", "what was packed, with SHA-256 hashes", "llamapack inspect, verify", _TOOLS),
    ("directory", "lists the members of the ZIP archive", "unzip, zip, 7z, Python", _TOOLS),
)
_WIDTH, _ROW, _TOP, _LEFT, _BOX = 820, 34, 46, 70, 480
_TALL = "weights"  # they are nearly all of the file


def draw() -> str:
    """The picture as SVG; the same text each time."""
    y, rows, zip_begins = _TOP, [], 0
    for name, inside, reader, colour in _PARTS:
        height = _ROW * 2 if name == _TALL else _ROW
        if name == "engines":
            zip_begins = y
        middle = y + height / 2 + 4
        rows += [
            f'<rect x="{_LEFT}" y="{y}" width="{_BOX}" height="{height - 2}" fill="{colour}"/>',
            f'<text x="{_LEFT + 12}" y="{middle:g}" font-weight="bold">{escape(name)}</text>',
            f'<text x="{_LEFT + 130}" y="{middle:g}">{escape(inside)}</text>',
            f'<text x="{_LEFT + _BOX + 20}" y="{middle:g}">{escape(reader)}</text>',
        ]
        y += height
    title = 'font-size="17" font-weight="bold"'
    bracket = f"M {_LEFT - 8} {zip_begins} h -8 V {y - 2} h 8"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y + 16}" role="img"'
        ' font-family="sans-serif" font-size="14" fill="#111827">',
        "<title>What is inside m.llamafile, and who reads which part</title>",
        f'<rect width="{_WIDTH}" height="{y + 16}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="30" {title}>m.llamafile</text>',
        f'<text x="{_LEFT + _BOX + 20}" y="30" {title}>who reads it</text>',
        *rows,
        f'<path d="{bracket}" fill="none" stroke="#6b7280" stroke-width="2"/>',
        f'<text x="{_LEFT - 48}" y="{(zip_begins + y) / 2 + 5:g}" fill="#6b7280">ZIP</text>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    argparse.ArgumentParser(prog="python -m ci.picture", description=__doc__).parse_args()
    PICTURE.write_text(draw(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
