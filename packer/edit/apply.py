"""Brings a change to a bundle in the way that moves the fewest bytes."""

from __future__ import annotations

from packer.edit.edition import Edition
from packer.edit.entries import HEAVY
from packer.edit.in_place import Stay, distances, rewrite, staying
from packer.edit.opened import Opened
from packer.edit.whole import write_whole
from packer.progress import progress

IN_PLACE, MOVED, COPIED = "in place", "moved", "copied"

_CHEAP = 64 << 20  # bytes; so many may be put aside whatever the rest is


def apply(opened: Opened, edition: Edition, *, copy: bool) -> str:
    """Make the change; the old file or the new one is there at any moment.

    Args:
        copy: write a new file in any case.

    Returns:
        what became of the weights: `IN_PLACE`, `MOVED` by the file system, or `COPIED`.

    Raises:
        InputError, OSError: the change failed and the file is as it was.
    """
    new = sum(source.size for source in edition.weights.values())
    stay = staying(opened, edition)
    if not copy and _worthwhile(opened, edition, stay):
        for distance in distances(opened, edition, stay):
            with progress("adding", new) as advance:
                if rewrite(opened, edition, stay, distance, advance):
                    return MOVED if distance else IN_PLACE
    kept = sum(member.compressed_size for member in edition.kept)
    with progress("copying", kept + new) as advance:
        write_whole(opened, edition, advance)
    return COPIED


def _worthwhile(opened: Opened, edition: Edition, stay: Stay) -> bool:
    """Whether a change in place moves fewer bytes than a copy, and leaves no large gap."""
    kept = {member.name for member in edition.kept}
    for member in opened.bundle.members.values():
        inside = stay.start <= member.header_offset < stay.end
        if inside and member.name not in kept and member.compressed_size >= HEAVY:
            return False
    aside = stay.start + opened.bundle.size - stay.end
    return aside <= max(_CHEAP, stay.end - stay.start)
