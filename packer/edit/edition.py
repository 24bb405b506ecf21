"""The contents of a bundle after a change, and the known digests of members that stay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from packer.bundle import Contents, Head
from packer.io.digest import Digest, member_digest
from packer.io.progress import Advance, progress
from packer.io.sources import Source
from packer.io.weights_file import is_weights
from runtime.errors import InputError
from runtime.formats.bundle import Bundle
from runtime.formats.zip_directory import Member


def changed(
    kept: Iterable[Member],
    manifest: Mapping[str, Any] | None,
    *,
    weights: Mapping[str, Source] | None = None,
    others: Mapping[str, Source | bytes] | None = None,
) -> Contents:
    """New contents of a present file: the members that it keeps, and new ones.

    Args:
        manifest: as in `Contents`.
    """
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
    head: Head | None = None
    """What replaces all before the weights; None: it stays."""
    start: bytes = b""
    """What replaces the first bytes of the file where `head` is None."""
    hashed: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of kept members, as far as they are known."""
    epoch: int = 0
    """Time stamp of new members, seconds since 1970 UTC."""

    @property
    def kept(self) -> list[Member]:
        """Members that stay byte for byte, in the order of the present file."""
        members = [one for one in self.contents.ordered.values() if isinstance(one, Member)]
        return sorted(members, key=lambda member: member.header_offset)

    def known(self, member: Member) -> Digest | None:
        """The digest of a kept member, if it need not be read for that."""
        sha256 = self.hashed.get(member.name)
        if sha256 is None and self.contents.manifest is not None:
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
