"""Another front of the same length for a bundle, whose members stay as they are."""

from __future__ import annotations

from packer import manifest
from packer.edit.edition import Edition, changed
from packer.edit.edits import hashes
from packer.epoch import source_date_epoch
from packer.front import Front
from runtime.bundle import MANIFEST, Bundle


def restarted(bundle: Bundle, front: Front) -> Edition:
    """The bundle with what it begins with replaced.

    Raises:
        InputError: its manifest is of a later format.
    """
    old = bundle.manifest or {}
    kept = [member for member in bundle.members.values() if member.name != MANIFEST]

    stated = {**old, "front": manifest.front_entry(front)}
    return Edition(
        changed(kept, stated),
        start=front.data,
        hashed=hashes(bundle, manifest.expected(old, str(bundle.path))),
        epoch=source_date_epoch(),
    )
