"""Llamafiles as others make them, from the description of the format: a program that is a shell
script and a Windows program at once, then a ZIP whose weights zipalign has aligned."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

RUNTIME = {
    ".symtab.amd64": b"symbols " * 1000,
    "llama.cpp/ggml-cuda.cu": b"__global__ " * 500,
    "usr/share/zoneinfo/UTC": b"TZif2",
    "ggml-cuda.dll": b"MZ" * 4000,
    "llamafile/server/www/index.html": b"<html>" * 200,
}
ARGS = b"-m\nweights.gguf\n--mmproj\neyes.gguf\n-c\n0\n...\n"


def write_foreign(path: Path, members: dict[str, bytes], *, alignment: int = 65536) -> Path:
    """Members ending in `.gguf` and `.args` are stored, the others deflated.

    The old runtime's members come first, as they do in a program that Cosmopolitan has built.
    """
    program = b"MZqFpD='\n" + b"# a shell script\n" * 50 + b"'\nexit 1\n"
    path.write_bytes(program.ljust(200_000, b"\0"))
    with zipfile.ZipFile(path, "a") as archive:
        for name, data in (RUNTIME | members).items():
            stored = name.endswith((".gguf", ".args"))
            info = zipfile.ZipInfo(name, (2024, 5, 6, 7, 8, 10))
            info.external_attr = 0o100640 << 16
            info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            if name.endswith(".gguf"):
                assert archive.fp
                start = archive.fp.seek(0, 2) + 30 + len(name) + 4
                padding = -start % alignment
                info.extra = struct.pack("<2H", 0x1234, padding) + bytes(padding)
            archive.writestr(info, data)
    path.chmod(0o755)
    return path
