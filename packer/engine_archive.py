"""Engines in the form that bundles hold them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packer.deflated import deflated
from packer.digest import Digest
from packer.sources import FileSource
from packer.zip_writer import ZipWriter
from runtime.bundle import ENGINES, SUMS, Bundle, Engine
from runtime.errors import InputError
from runtime.zip_directory import Member

EXECUTABLES = ("llamapack-engine", "llamapack-engine.exe")


@dataclass(frozen=True)
class PackedEngine:
    """The engine for one target, ready to be copied into a bundle."""

    engine: Engine
    release: str
    """llama.cpp's."""
    sums: dict[str, str]
    """SHA-256 by file name."""
    archive: Bundle

    def members(self) -> Iterator[tuple[Member, Digest]]:
        """Its members, in the order in which bundles hold them."""
        for member in self.archive.members.values():
            file = member.name.rsplit("/", 1)[1]
            sha256 = self.engine.id if file == SUMS else self.sums[file]
            yield member, Digest(member.size, member.crc32, sha256)


@contextmanager
def packed_engine(target: str, folder: Path) -> Iterator[PackedEngine]:
    """The engine whose files, `SHA256SUMS` and `engine.json` lie in `folder`.

    Raises:
        InputError: a file is missing or not what `SHA256SUMS` says.
    """
    listing = _read(folder / SUMS)
    sums = parse_sums(listing.decode("utf-8", "replace"), folder)
    release = _release(folder)
    identity = hashlib.sha256(listing).hexdigest()

    def write(archive: ZipWriter) -> None:
        _write(archive, target, folder, sums)
        archive.add_bytes(f"{ENGINES}{target}/{SUMS}", listing, deflate=False)

    with deflated(target, identity, write) as archive:
        (engine,) = archive.engines
        yield PackedEngine(engine, release, sums, archive)


def parse_sums(text: str, folder: Path) -> dict[str, str]:
    """SHA-256 by file name, from the lines of a `SHA256SUMS` file.

    Raises:
        InputError: a line is not `<64 hex digits>  <FILE>`.
    """
    sums: dict[str, str] = {}
    for line in text.splitlines():
        digest, separator, name = line.partition("  ")
        hexadecimal = len(digest) == 64 and not digest.strip("0123456789abcdef")
        if not separator or not hexadecimal or not name or "/" in name or name in sums:
            raise _damaged(folder, f"{SUMS} has the line {line!r}")
        sums[name] = digest
    if not any(name in sums for name in EXECUTABLES):
        raise _damaged(folder, f"{SUMS} does not list {EXECUTABLES[0]}")
    return sums


def _write(archive: ZipWriter, target: str, folder: Path, sums: dict[str, str]) -> None:
    for name in sorted(sums):
        source = FileSource.of(folder / name)
        mode = 0o755 if name in EXECUTABLES else 0o644
        with source.open() as file:
            record = archive.add_deflated(f"{ENGINES}{target}/{name}", file, source.size, mode=mode)
        if record.digest.sha256 != sums[name]:
            raise _damaged(folder, f"{name} is not the file that {SUMS} lists")


def _release(folder: Path) -> str:
    try:
        return str(json.loads(_read(folder / "engine.json"))["llama.cpp"])
    except (ValueError, KeyError, TypeError):
        raise _damaged(folder, "engine.json does not name the llama.cpp release") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise _damaged(path.parent, f"{path.name} is missing") from None


def _damaged(folder: Path, what: str) -> InputError:
    return InputError(
        f"the engine in {folder} is damaged: {what}",
        "Remove that folder, then run `llamapack engine build`.",
    )
