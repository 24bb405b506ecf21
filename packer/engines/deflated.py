"""Engines and the web UI in deflated form: archives in the build cache, copied into each bundle.

Deflating takes seconds, copying the result milliseconds. An archive is a ZIP whose members have
the names that they have in a bundle. Its file name contains a hash of everything that its bytes
depend on, and a file beside it has its SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import certifi

import packer
from packer.engines import sums
from packer.engines.wheels import PACKED, distribution
from packer.io import build_cache
from packer.io.digest import Digest
from packer.io.output import output_file
from packer.io.sources import FileSource
from packer.zip.writer import DEFLATE_LEVEL, ZipWriter
from runtime.errors import InputError
from runtime.formats import sha256_file
from runtime.formats.bundle import ENGINES, TLS, WEB_UI, Bundle, Engine
from runtime.formats.sha256_file import file_sha256
from runtime.formats.zip_directory import Member
from runtime.machine.targets import EXECUTABLES


@dataclass(frozen=True)
class Packed:
    """Members in deflated form, ready to be copied into a bundle."""

    archive: Bundle
    sums: Mapping[str, str] = field(default_factory=dict)
    """Known SHA-256 values by member or file name; others are computed."""

    @property
    def compressed_size(self) -> int:
        """Bytes in the bundle."""
        return sum(member.compressed_size for member in self.archive.members.values())

    @property
    def count(self) -> int:
        return len(self.archive.members)

    def members(self) -> Iterator[tuple[Member, Digest]]:
        """The members, in the order of a bundle."""
        for member in self.archive.members.values():
            name = member.name
            sha256 = self.sums.get(name) or self.sums.get(name.rsplit("/", 1)[-1])
            if sha256 is None:
                sha256 = hashlib.sha256(self.archive.read(member.name)).hexdigest()
            yield member, Digest(member.size, member.crc32, sha256)


@dataclass(frozen=True)
class PackedEngine:
    """The engine for one target, ready to be copied into a bundle."""

    engine: Engine
    release: str
    """Release of llama.cpp."""
    packed: Packed


def add(
    archive: ZipWriter, packed: Packed, member: Member, content: Digest, *, name: str | None = None
) -> None:
    """Copy one of `packed.members()` into `archive`, under `name` if it gets another name."""
    archive.add_packed(
        name or member.name,
        packed.archive.raw(member),
        member.compressed_size,
        method=member.method,
        content=content,
        mode=member.mode & 0o777,
    )


def add_files(
    archive: ZipWriter,
    prefix: str,
    folder: Path,
    listing: sums.Listing,
    modes: Mapping[str, int] | None = None,
) -> None:
    """Deflate the listed files of `folder`, and add the list itself.

    Args:
        prefix: start of the members' names.
        modes: UNIX permissions by file name; 0644 for the others.

    Raises:
        InputError: a file is missing or its SHA-256 differs from the list.
    """
    for name in sorted(listing.sums):
        source = FileSource.of(folder / name)
        mode = (modes or {}).get(name, 0o644)
        with source.open() as file:
            record = archive.add_deflated(f"{prefix}{name}", file, source.size, mode=mode)
        if record.digest.sha256 != listing.sums[name]:
            raise sums.damaged(folder, f"{name} is not the file that {sums.NAME} lists")
    archive.add_bytes(f"{prefix}{sums.NAME}", listing.text, deflate=False)


def folder() -> Path:
    """The folder of all archives."""
    return build_cache.root() / "deflated"


def place(name: str, identity: str) -> Path:
    """The path of an archive; the arguments are those of `deflated`."""
    versions = f"{zlib.ZLIB_RUNTIME_VERSION}-{packer.__version__}"
    settings = f"{name}-{identity}-{DEFLATE_LEVEL}-{versions}"
    key = hashlib.sha256(settings.encode()).hexdigest()
    return folder() / f"{name}-{key[:32]}.zip"


def checksum(path: Path) -> Path:
    """The file beside an archive with its SHA-256 and that of each member."""
    return path.with_name(f"{path.name}.sha256")


@contextmanager
def deflated(
    name: str, identity: str, write: Callable[[ZipWriter], None], wheel: Path | None = None
) -> Iterator[Bundle]:
    """Open an archive; if the cache has no intact one, `write` makes it first.

    Args:
        name: start of its file name.
        identity: hash that stands for its contents.
        wheel: folder whose own archive is taken if it has one.

    Raises:
        InputError: that one is damaged.
    """
    path = wheel / PACKED if wheel else place(name, identity)
    if wheel is None or not path.is_file():
        path = place(name, identity)
        if not _is_intact(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _make(path, write)
    elif not _is_intact(path):
        name_of_wheel = distribution(wheel.parents[1].name)
        raise InputError(
            f"{path} is damaged",
            f"Run `pip install --force-reinstall --no-deps {name_of_wheel}`.",
        )
    with Bundle.open(path) as archive:
        yield archive


@contextmanager
def packed_engine(target: str, folder: Path) -> Iterator[PackedEngine]:
    """The engine whose files, `SHA256SUMS` and `engine.json` are in `folder`.

    Raises:
        InputError: a file is missing or its SHA-256 differs from the list.
    """
    listing = sums.read(folder)
    if not any(name in listing.sums for name in EXECUTABLES):
        raise sums.damaged(folder, f"{sums.NAME} does not list {EXECUTABLES[0]}")
    release = _release(folder)

    def write(archive: ZipWriter) -> None:
        modes = dict.fromkeys(EXECUTABLES, 0o755)
        add_files(archive, f"{ENGINES}{target}/", folder, listing, modes)

    with deflated(target, listing.id, write, folder) as archive:
        (engine,) = archive.engines
        yield PackedEngine(engine, release, Packed(archive, listing.sums))


@contextmanager
def packed_web_ui(folder: Path) -> Iterator[Packed]:
    """The web UI whose pages are in `folder`, which is named after their key."""

    def write(archive: ZipWriter) -> None:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            source = FileSource.of(path)
            name = f"{WEB_UI}{path.relative_to(folder).as_posix()}"
            with source.open() as file:
                # Always deflated: the engine sends it to browsers as gzip.
                archive.add_deflated(name, file, source.size)

    with deflated("web-ui", folder.name, write, folder) as archive:
        yield Packed(archive, stated(archive))


def roots() -> tuple[bytes, str]:
    """The certificate authorities of certifi (Mozilla's list), in PEM, and their SHA-256."""
    listed = Path(certifi.where()).read_bytes()
    begin, end = (b"-----%s CERTIFICATE-----" % word for word in (b"BEGIN", b"END"))
    text = b"\n".join(re.findall(begin + rb"[^-]+" + end, listed)) + b"\n"
    return text, hashlib.sha256(text).hexdigest()


@contextmanager
def packed_roots() -> Iterator[Packed]:
    """Whom an engine trusts on a machine that has no list of certificate authorities."""
    text, identity = roots()

    def write(archive: ZipWriter) -> None:
        archive.add_bytes(f"{TLS}roots.pem", text, deflate=True)

    with deflated("roots", identity, write) as archive:
        yield Packed(archive)


def _release(folder: Path) -> str:
    try:
        return str(json.loads((folder / "engine.json").read_bytes())["llama.cpp"])
    except FileNotFoundError:
        raise sums.damaged(folder, "engine.json is missing") from None
    except (ValueError, KeyError, TypeError):
        raise sums.damaged(folder, "engine.json does not name the llama.cpp release") from None


def _make(path: Path, write: Callable[[ZipWriter], None]) -> None:
    with output_file(path, force=True, mode=0o644) as destination:
        archive = ZipWriter(destination, 0)
        write(archive)
        archive.close()
    found = {path.name: file_sha256(path)}
    found |= {record.name: record.digest.sha256 for record in archive.records}
    with output_file(checksum(path), force=True, mode=0o644) as destination:
        destination.write(sha256_file.write(found).encode())


def stated(archive: Bundle) -> dict[str, str]:
    """The SHA-256 of an archive and its members, by name, as the file beside it says."""
    return sha256_file.parse(checksum(archive.path).read_text(encoding="utf-8"))


def _is_intact(path: Path) -> bool:
    try:
        stated = sha256_file.parse(checksum(path).read_text(encoding="utf-8"))
        # Earlier versions did not list the members.
        return len(stated) > 1 and file_sha256(path) == stated[path.name]
    except (OSError, ValueError, KeyError):
        return False
