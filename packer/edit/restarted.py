"""Another front of the same length for a bundle, whose members stay as they are."""

from __future__ import annotations

from collections.abc import Sequence

from packer import manifest
from packer.edit.edition import Edition
from packer.edit.edits import hashes
from packer.epoch import source_date_epoch
from packer.front import Front
from packer.zip_writer import Record
from runtime.bundle import MANIFEST, Bundle


def restarted(bundle: Bundle, front: Front) -> Edition:
    """The bundle with what it begins with replaced.

    Raises:
        InputError: its manifest is of a later format.
    """
    old = bundle.manifest or {}
    kept = [member for member in bundle.members.values() if member.name != MANIFEST]

    def make(records: Sequence[Record]) -> bytes:
        return manifest.encode(
            {
                **old,
                "front": manifest.front_entry(front),
                "members": manifest.member_entries(records),
                "tool": manifest.TOOL,
            }
        )

    return Edition(
        kept=sorted(kept, key=lambda member: member.header_offset),
        start=front.data,
        manifest=make,
        hashed=hashes(bundle, manifest.expected(old, str(bundle.path))),
        epoch=source_date_epoch(),
    )
