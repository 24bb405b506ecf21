"""Writes wheels of the engines, GPU modules and web UI, for pip to install beside llamapack.

Usage: python -m ci.release.wheels FOLDER

Everything that the build cache holds for the present sources goes in, but what is over the limit
of package indexes. A wheel is data only, for any Python on any system. Two builds write the same.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from ci.ending import status_of
from ci.release import checkout
from packer import __version__
from packer.engines import cache, deflated, native, pins, stubs, sums, toolchain, wheels
from packer.engines.gpu import modules, sources
from packer.engines.targets import TARGETS
from packer.io import build_cache
from packer.io.console import note
from packer.io.epoch import ZIP_BEGINS, source_date_epoch
from packer.releases import pieces
from packer.releases.pieces import Piece
from runtime.errors import InputError
from runtime.formats import sha256_file
from runtime.machine.targets import stub_of

LIMIT = 100_000_000
"""Bytes of one file, in PyPI."""
_NEEDED = ("llamapack-gpu-sources", "llamapack-web-ui")
"""What every engine brings along."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.release.wheels", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder

    def work() -> None:
        checkout.stop_the_clock()
        print(*write(folder), sep="\n")

    return status_of(work)


def write(folder: Path) -> list[Path]:
    """Write all wheels into `folder`; their paths.

    Raises:
        InputError: no engine that runs here is built, which states the licences.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stubs.build_stubs(stubs.STUB_TARGETS, toolchain.find(pins.load(native.directory())).zig)
    sources.collect()
    texts = {"LICENSE": (checkout.ROOT / "LICENSE").read_bytes(), "LICENSE.engine": _licences()}
    made = []
    for piece in pieces.every(module for module, _ in modules.found()):
        # Stubs are parts of the engines' wheels.
        if not piece.here or piece.files:
            continue
        path = _write(piece, _files(piece), texts, folder)
        if path.stat().st_size > LIMIT:
            note(
                f"{path.name} has {path.stat().st_size:,} bytes and is left out: no index takes it"
            )
            path.unlink()
            continue
        made.append(path)
    return made


def _licences() -> bytes:
    program = cache.runnable()
    if program is None:
        raise InputError(
            "no engine runs here to print the licences", "Run `llamapack engine build`."
        )
    return subprocess.run([program, "--licenses"], capture_output=True, check=True).stdout


def _files(piece: Piece) -> dict[str, bytes]:
    """Contents by path below the wheel's folder, which has the places of the build cache."""
    root = build_cache.root()
    place = piece.folder.relative_to(root)
    if piece.kept_as or piece.name == "web-ui":
        assert piece.packed
        with piece.packed() as packed:
            archive = packed.archive.path.read_bytes()
            known = {member.name: digest.sha256 for member, digest in packed.members()}
        known[wheels.PACKED] = hashlib.sha256(archive).hexdigest()
        found = {
            wheels.PACKED: archive,
            deflated.checksum(Path(wheels.PACKED)).name: sha256_file.write(known).encode(),
        }
        for name in (sums.NAME, cache.FACTS):
            if (piece.folder / name).is_file():
                found[name] = (piece.folder / name).read_bytes()
    else:
        found = {
            path.relative_to(piece.folder).as_posix(): path.read_bytes() for path in piece.paths
        }
    files = {(place / name).as_posix(): content for name, content in found.items()}
    for path in _stubs(piece):
        files[path.relative_to(root).as_posix()] = path.read_bytes()
    return files


def _stubs(piece: Piece) -> Iterable[Path]:
    """The start stubs of an engine: its own, and the one that Windows on Arm starts."""
    target = piece.name.removeprefix("engine-")
    if target in TARGETS:
        zig = pins.load(native.directory()).zig
        own = stub_of(target)
        for name in filter(None, (own, TARGETS[own].guest)):
            yield stubs.cached(name, zig)


def _write(
    piece: Piece, files: Mapping[str, bytes], texts: Mapping[str, bytes], folder: Path
) -> Path:
    name = wheels.distribution(piece.name)
    stem = f"{name.replace('-', '_')}-{__version__}"
    info = f"{stem}.dist-info"
    contents = {f"{wheels.FOLDER}/{piece.name}/{path}": data for path, data in files.items()}
    contents |= {f"{info}/licenses/{file}": text for file, text in texts.items()}
    contents[f"{info}/METADATA"] = _metadata(name, piece, texts)
    contents[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: llamapack\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    lines = [
        f"{path},sha256={_digest(data)},{len(data)}" for path, data in sorted(contents.items())
    ]
    contents[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""]).encode()
    path = folder / f"{stem}-py3-none-any.whl"
    moment = time.gmtime(max(source_date_epoch(), ZIP_BEGINS))[:6]
    with zipfile.ZipFile(path, "w") as archive:
        # What is deflated already is stored; the metadata comes last, as installers like it.
        for inside in sorted(contents, key=lambda one: (one.startswith(info), one)):
            member = zipfile.ZipInfo(inside, moment)
            member.create_system, member.external_attr = 3, 0o100644 << 16
            packed = inside.endswith(wheels.PACKED)
            member.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
            archive.writestr(member, contents[inside])
    return path


def _metadata(name: str, piece: Piece, texts: Iterable[str]) -> bytes:
    facts = piece.folder / cache.FACTS
    key = json.loads(facts.read_bytes())["key"] if facts.is_file() else piece.id
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {name}",
        f"Version: {__version__}",
        f"Summary: {piece.name} of llamapack, made from sources with the key {key}",
        f"Keywords: {key}",
        "License-Expression: Apache-2.0 AND MIT",
        *(f"License-File: {text}" for text in texts),
        "Requires-Python: >=3.11",
    ]
    if facts.is_file():
        lines += [f"Requires-Dist: {needed}=={__version__}" for needed in _NEEDED]
    return "\n".join([*lines, ""]).encode()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


if __name__ == "__main__":
    sys.exit(main())
