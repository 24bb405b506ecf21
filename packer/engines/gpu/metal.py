"""The Metal module: upstream's library out of a wheel, named as our engine knows it.

It is linked with `@loader_path/libggml-base.0.dylib`. Our ggml-base is loaded before it as
`@rpath/libggml-base.dylib`, and the module must find this one: with a second one beside it, two
lists of buffers and backends would not know of each other.

Load commands: Apple's `mach-o/loader.h`.
"""

from __future__ import annotations

import struct
import sys
import zipfile
from pathlib import Path

from packer.engines import logged
from packer.engines.gpu.pins import Module, Wheel
from packer.head.macho_signature import commands, sign
from packer.io.console import note
from runtime.errors import InputError

_LC_LOAD_DYLIB, _LC_RPATH = 0xC, 0x8000001C
_BASE = b"@rpath/libggml-base.dylib"
_LARGEST = 64 << 20
"""Bytes that the library may have."""


def fetch(module: Module, file: Path, log: Path) -> None:
    """Download the wheel, and put its library at `file`, adapted and signed.

    Raises:
        InputError: it cannot be fetched, or is not what the pins say.
    """
    wheel = module.wheel
    assert wheel
    note(f"fetching {module.title} (PyPI package {wheel.package} {wheel.version})")
    folder = file.parent.parent
    path = _downloaded(wheel, folder, log)
    try:
        with zipfile.ZipFile(path) as archive, archive.open(wheel.file) as library:
            data = library.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise ValueError(f"`{wheel.file}` has more than {_LARGEST} bytes")
        file.write_bytes(adapted(data, module.name))
    except KeyError:
        raise InputError(f"{path.name}: it does not contain `{wheel.file}`") from None
    except (ValueError, zipfile.BadZipFile) as problem:
        raise InputError(f"{path.name}: {problem}") from None


def _downloaded(wheel: Wheel, folder: Path, log: Path) -> Path:
    """pip compares the hash, and runs nothing of a wheel."""
    asked = folder / "requirements.txt"
    asked.write_text(f"{wheel.package}=={wheel.version} --hash=sha256:{wheel.sha256}\n")
    words = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps"]
    words += ["--only-binary", ":all:", "--platform", wheel.platform, "--require-hashes"]
    doing = f"fetching {wheel.package} {wheel.version}"
    logged.run([*words, "--dest", folder, "--requirement", asked], doing, log)
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise InputError(f"{doing}: pip left {len(wheels)} wheels", f"See `{log}`.")
    return wheels[0]


def adapted(data: bytes, name: str) -> bytes:
    """The library, linked with our ggml-base instead of the one it was built with, and signed.

    Args:
        name: its file name.

    Raises:
        ValueError: it is not a Mach-O file, or not linked with a ggml-base.
    """
    out, bases = bytearray(data), 0
    for kind, at, length in commands(data):
        if kind not in (_LC_LOAD_DYLIB, _LC_RPATH):
            continue
        start = struct.unpack_from("<I", data, at + 8)[0]
        text = data[at + start : at + length].rstrip(b"\0")
        if kind == _LC_LOAD_DYLIB and text.rpartition(b"/")[2].startswith(b"libggml-base."):
            replaced, bases = _BASE, bases + 1
        elif kind == _LC_RPATH and not text.startswith(b"@"):
            replaced = b"@executable_path"  # a folder of the machine that built it
        else:
            continue
        if len(replaced) + 1 > length - start:
            raise ValueError(f"no room for `{replaced.decode()}` in its load commands")
        out[at + start : at + length] = replaced.ljust(length - start, b"\0")
    if bases != 1:
        raise ValueError(f"it is linked with {bases} libraries named libggml-base")
    return sign(bytes(out), name)
