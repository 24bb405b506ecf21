"""The web UI in the form that bundles hold it: once, for all their engines."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packer.deflated import deflated
from packer.digest import Digest
from packer.sources import FileSource
from packer.zip_writer import ZipWriter
from runtime.bundle import WEB_UI, Bundle
from runtime.zip_directory import Member


@dataclass(frozen=True)
class PackedWebUi:
    """The web UI, ready to be copied into a bundle."""

    archive: Bundle

    @property
    def compressed_size(self) -> int:
        """Bytes in the bundle."""
        return sum(member.compressed_size for member in self.archive.members.values())

    def members(self) -> Iterator[tuple[Member, Digest]]:
        """Its members, sorted by name."""
        for member in self.archive.members.values():
            sha256 = hashlib.sha256(self.archive.read(member.name)).hexdigest()
            yield member, Digest(member.size, member.crc32, sha256)


@contextmanager
def packed_web_ui(folder: Path) -> Iterator[PackedWebUi]:
    """The web UI whose pages lie in `folder`, which is named by the key it was built under."""

    def write(archive: ZipWriter) -> None:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            source = FileSource.of(path)
            name = f"{WEB_UI}{path.relative_to(folder).as_posix()}"
            with source.open() as file:
                # Deflated whatever it is: the engine hands it to browsers as gzip.
                archive.add_deflated(name, file, source.size)

    with deflated("web-ui", folder.name, write) as archive:
        yield PackedWebUi(archive)
