"""Archives whose members are copied into bundles as they are, each made once.

Deflating takes seconds, copying the result takes milliseconds. An archive is a ZIP whose members
have the names they have in a bundle; it is kept under all that its bytes depend on, together with
its own checksum.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import packer
from packer.engines import sums
from packer.io import build_cache
from packer.io.digest import Digest
from packer.io.output import output_file
from packer.io.sources import FileSource
from packer.zip.writer import DEFLATE_LEVEL, ZipWriter
from runtime.formats import sha256_file
from runtime.formats.bundle import Bundle
from runtime.formats.sha256_file import file_sha256
from runtime.formats.zip_directory import Member


@dataclass(frozen=True)
class Packed:
    """Members in their deflated form, ready to be copied into a bundle."""

    archive: Bundle
    sums: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of members by file name; the others' is computed."""

    @property
    def compressed_size(self) -> int:
        """Bytes in the bundle."""
        return sum(member.compressed_size for member in self.archive.members.values())

    @property
    def count(self) -> int:
        """Number of members."""
        return len(self.archive.members)

    def members(self) -> Iterator[tuple[Member, Digest]]:
        """Its members, in the order in which bundles hold them."""
        for member in self.archive.members.values():
            sha256 = self.sums.get(member.name.rsplit("/", 1)[-1])
            if sha256 is None:
                sha256 = hashlib.sha256(self.archive.read(member.name)).hexdigest()
            yield member, Digest(member.size, member.crc32, sha256)


def add(
    archive: ZipWriter, packed: Packed, member: Member, content: Digest, *, name: str | None = None
) -> None:
    """Add one of `packed.members()` in its deflated form; `name`, if another than it has there."""
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
        prefix: of the members' names.
        modes: UNIX permissions by file name; 0644 for the others.

    Raises:
        InputError: a file is missing or not what the list says.
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
    """The path of the archive with this identity; see `deflated`."""
    versions = f"{zlib.ZLIB_RUNTIME_VERSION}-{packer.__version__}"
    settings = f"{name}-{identity}-{DEFLATE_LEVEL}-{versions}"
    key = hashlib.sha256(settings.encode()).hexdigest()
    return folder() / f"{name}-{key[:32]}.zip"


def checksum(path: Path) -> Path:
    """The file beside an archive that has its SHA-256."""
    return path.with_name(f"{path.name}.sha256")


@contextmanager
def deflated(name: str, identity: str, write: Callable[[ZipWriter], None]) -> Iterator[Bundle]:
    """The archive of what `identity` stands for, open for reading; made by `write` if it is new.

    Args:
        name: how its file name begins.
        identity: of the contents.
    """
    path = place(name, identity)
    if not _intact(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _make(path, write)
    with Bundle.open(path) as archive:
        yield archive


def _make(path: Path, write: Callable[[ZipWriter], None]) -> None:
    with output_file(path, force=True, mode=0o644) as destination:
        archive = ZipWriter(destination, 0)
        write(archive)
        archive.close()
    with output_file(checksum(path), force=True, mode=0o644) as destination:
        destination.write(sha256_file.write({path.name: file_sha256(path)}).encode())


def _intact(path: Path) -> bool:
    try:
        stated = sha256_file.parse(checksum(path).read_text(encoding="utf-8"))
        return file_sha256(path) == stated[path.name]
    except (OSError, ValueError, KeyError):
        return False
