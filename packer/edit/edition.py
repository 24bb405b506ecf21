"""What a bundle is to hold after a change, and the parts of it that are written anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from packer.archives.deflated import Packed
from packer.archives.engine import PackedEngine
from packer.copy import Destination
from packer.digest import Digest, member_digest
from packer.edit.entries import Aside
from packer.front import Front
from packer.pack import ALIGNMENT, begin
from packer.progress import Advance, progress
from packer.sources import Source
from packer.zip_writer import Record, ZipWriter
from runtime.bundle import ARGS, MANIFEST, MODELS, TEMPLATE, Bundle
from runtime.errors import InputError
from runtime.zip_directory import Member


@dataclass(frozen=True)
class Head:
    """A new front, with engines and what they use."""

    front: Front
    engines: Sequence[PackedEngine]
    others: Sequence[Packed]
    """GPU modules and sources, web UI, in the order of the file."""

    @property
    def copied(self) -> list[Packed]:
        """What comes from the build cache, in the order of the file."""
        return [*(engine.packed for engine in self.engines), *self.others]

    def write(self, destination: Destination, epoch: int) -> ZipWriter:
        return begin(self.front, self.copied, destination, epoch)


@dataclass
class Edition:
    """The new contents of a bundle."""

    kept: Sequence[Member]
    """Members that stay byte for byte, in the order of the file."""
    head: Head | None = None
    """What replaces all before the weights; None: it stays."""
    start: bytes = b""
    """What replaces the first bytes of the file where `head` is None."""
    weights: Mapping[str, Source] = field(default_factory=dict)
    """New GGUF files, by member name."""
    files: Mapping[str, Source] = field(default_factory=dict)
    """New other files."""
    template: bytes | None = None
    """A new chat template."""
    models_preset: str | None = None
    """The new text of `models.ini`; None: there is none, or it stays."""
    args: str | None = None
    """The new text of `.args`; None: there is none, or it stays."""
    manifest: Callable[[Sequence[Record]], bytes] | None = None
    """Makes the manifest from the records of all other members; None: there is none."""
    hashed: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of kept members, as far as they are known."""
    epoch: int = 0
    """Time stamp of new members, seconds since 1970 UTC."""

    def write_tail(
        self, archive: ZipWriter, aside: Aside, digests: Mapping[str, Digest], advance: Advance
    ) -> None:
        """Write what follows the weights that stay, up to the end of the file.

        Args:
            aside: kept members that do not stay where they are.
            digests: of these.
            advance: told about bytes of new weights.
        """
        for name, source in self.weights.items():
            with source.open() as file:
                archive.add_stored(
                    name,
                    file,
                    source.size,
                    alignment=ALIGNMENT,
                    sparse=source.sparse,
                    advance=advance,
                )
        for member, data_offset, place, length in aside.members:
            archive.add_entry(
                member, digests[member.name], aside.pieces(place, length), data_offset
            )
        for name, source in self.files.items():
            with source.open() as file:
                archive.add_deflated(name, file, source.size)
        if self.template is not None:
            archive.add_bytes(TEMPLATE, self.template, deflate=True)
        if self.models_preset is not None:
            archive.add_bytes(MODELS, self.models_preset.encode(), deflate=True)
        if self.args is not None:
            archive.add_bytes(ARGS, self.args.encode(), deflate=False)
        if self.manifest is not None:
            archive.add_bytes(MANIFEST, self.manifest(archive.records), deflate=True)
        archive.close()

    def known(self, member: Member) -> Digest | None:
        """The digest of a kept member, if it need not be read for that."""
        sha256 = self.hashed.get(member.name)
        if sha256 is None and self.manifest is not None:
            return None
        return Digest(member.size, member.crc32, sha256 or "")

    def digests(self, bundle: Bundle, members: Sequence[Member]) -> dict[str, Digest]:
        """Digests of kept members; reads those that are not known.

        Raises:
            InputError: one is damaged, or cannot be read.
        """
        unknown = [member for member in members if self.known(member) is None]
        with progress("hashing", sum(member.size for member in unknown)) as advance:
            read = {member.name: _hash(bundle, member, advance) for member in unknown}
        # If the change is then made in another way, they need not be read again.
        self.hashed = {**self.hashed, **{name: found.sha256 for name, found in read.items()}}
        return {member.name: self.known(member) or read[member.name] for member in members}


def check_crc(bundle: Bundle, member: Member, found: Digest) -> Digest:
    """Raises `InputError` if the contents of a member are not those that the directory states."""
    if found.crc32 != member.crc32:
        raise InputError(
            f"{bundle.path} is damaged: the CRC-32 of member {member.name} differs",
            "Download or copy the file again.",
        )
    return found


def _hash(bundle: Bundle, member: Member, advance: Advance) -> Digest:
    return check_crc(bundle, member, member_digest(bundle, member, advance))
