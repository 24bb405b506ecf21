"""The contents of a bundle after a change, and members of the old one that stay."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any, BinaryIO

from packer.bundle.contents import Contents, Head
from packer.bundle.extraction import check_crc
from packer.io.console import Advance, progress
from packer.io.digest import Digest, member_digest
from packer.io.sources import Source, is_weights
from packer.zip.writer import ZipWriter
from runtime.errors import InputError
from runtime.formats.bundle import ENGINES, START, TLS, WEB_UI, Bundle
from runtime.formats.zip_directory import Member


def changed(
    kept: Iterable[Member],
    manifest: Mapping[str, Any] | None,
    *,
    weights: Mapping[str, Source] | None = None,
    others: Mapping[str, Source | bytes] | None = None,
) -> Contents:
    """New contents of an existing file: members that it keeps, and new ones."""
    members = sorted(kept, key=lambda member: member.header_offset)
    return Contents(
        weights={**{m.name: m for m in members if is_weights(m)}, **(weights or {})},
        others={**{m.name: m for m in members if not is_weights(m)}, **(others or {})},
        manifest=manifest,
    )


@dataclass
class Edition:
    """A change of a bundle."""

    contents: Contents
    head: Head | None = None  # what replaces all before the weights; None: it stays
    start: bytes = b""  # what replaces the first bytes of the file where `head` is None
    hashed: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of kept members, as far as they are known."""
    epoch: int = 0  # time stamp of new members, seconds since 1970 UTC

    @property
    def kept(self) -> list[Member]:
        """Members that stay byte for byte, in the order of the present file."""
        members = [one for one in self.contents.ordered.values() if isinstance(one, Member)]
        return sorted(members, key=lambda member: member.header_offset)

    def known(self, member: Member) -> Digest | None:
        """The digest of a kept member, if it is known without reading."""
        sha256 = self.hashed.get(member.name)
        if sha256 is None and self.contents.manifest is not None:
            return None
        return Digest(member.size, member.crc32, sha256 or "")

    def digests(self, bundle: Bundle, members: Sequence[Member]) -> dict[str, Digest]:
        """Digests of kept members; reads members whose digest is not known. Raises InputError if
        one is damaged."""
        unknown = [member for member in members if self.known(member) is None]
        with progress("hashing", sum(member.size for member in unknown)) as advance:
            read = {member.name: _hash(bundle, member, advance) for member in unknown}
        # If the change is then made in another way, they need not be read again.
        self.hashed = {**self.hashed, **{name: found.sha256 for name, found in read.items()}}
        return {member.name: self.known(member) or read[member.name] for member in members}


def _hash(bundle: Bundle, member: Member, advance: Advance) -> Digest:
    found = member_digest(bundle, member, advance)
    check_crc(bundle, member, found.crc32)
    return found


_MEMORY = 16 << 20  # bytes kept in memory; more go to a temporary file
_BLOCK = 1 << 20
_DESCRIPTOR = 1 << 3  # flag: sizes and CRC follow the data (APPNOTE 4.4.4)
_DESCRIPTOR_MAGIC = b"PK\x07\x08"  # APPNOTE 4.3.9.3: commonly there, not always


def is_heavy(member: Member) -> bool:
    """Whether it keeps its place: weights, or members of the part before them."""
    return member.name.startswith((ENGINES, START, TLS, WEB_UI)) or is_weights(member)


def entry_end(bundle: Bundle, file: BinaryIO, member: Member) -> int:
    """Bytes from the start of the file to the end of a local entry. Raises InputError if it is
    damaged."""
    end = bundle.data_offset(member) + member.compressed_size
    if not member.flags & _DESCRIPTOR:
        return end
    file.seek(end)
    found = file.read(24)
    for form in ("<3I", "<I2Q"):
        sizes = (member.compressed_size & _mask(form), member.size & _mask(form))
        stated = struct.pack(form, member.crc32, *sizes)
        for descriptor in (_DESCRIPTOR_MAGIC + stated, stated):
            if found.startswith(descriptor):
                return end + len(descriptor)
    raise InputError(
        f"{bundle.path} is damaged: the size after member {member.name!r} is missing",
        "Unpack it with another ZIP tool and pack it again.",
    )


@dataclass(frozen=True)
class Aside:
    """Bytes of local entries that were put aside."""

    entries: Mapping[str, tuple[int, int, int]]
    """Data offset in the old file, and place and length here, by member name."""
    storage: IO[bytes]

    def add_to(self, archive: ZipWriter, member: Member, digest: Digest) -> None:
        """Write one of them to the archive."""
        data_offset, place, length = self.entries[member.name]
        archive.add_entry(member, digest, self._pieces(place, length), data_offset)

    def _pieces(self, place: int, length: int) -> Iterator[bytes]:
        self.storage.seek(place)
        while length:
            piece = self.storage.read(min(_BLOCK, length))
            yield piece
            length -= len(piece)


@contextmanager
def put_aside(bundle: Bundle, file: BinaryIO, members: Sequence[Member]) -> Iterator[Aside]:
    """Copy the local entries of `members` to a temporary file, so that the bundle may change."""
    # Beside the bundle: gigabytes need not fit where temporary files go, which is often memory.
    folder = str(bundle.path.resolve().parent)
    with tempfile.SpooledTemporaryFile(_MEMORY, dir=folder) as storage:
        kept = {}
        for member in members:
            place = storage.tell()
            position, end = member.header_offset, entry_end(bundle, file, member)
            length = end - position
            while position < end:
                file.seek(position)
                piece = file.read(min(_BLOCK, end - position))
                if not piece:
                    raise InputError(
                        f"{bundle.path} is damaged: member {member.name} is cut off",
                        "Download or copy the file again.",
                    )
                storage.write(piece)
                position += len(piece)
            kept[member.name] = (bundle.data_offset(member), place, length)
        yield Aside(kept, storage)


def _mask(form: str) -> int:
    return (1 << 32) - 1 if form == "<3I" else (1 << 64) - 1
