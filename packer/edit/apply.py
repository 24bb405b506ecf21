"""Brings a change to a bundle in the way that moves the fewest bytes."""

from __future__ import annotations

from packer.edit.edition import Edition
from packer.edit.in_place import Stay, distances, rewrite, staying
from packer.edit.opened import Opened
from packer.edit.whole import write_whole
from packer.io.fallocate import block_size
from packer.io.progress import progress
from packer.io.ranges import shares_blocks
from packer.io.weights_file import is_weights

IN_PLACE, MOVED, SHARED, COPIED = "in place", "moved", "shared", "copied"

_CHEAP = 64 << 20  # bytes; so many may be put aside whatever the rest is
_GAP = 1 << 20  # bytes; a smaller member leaves a gap where it was


def apply(opened: Opened, edition: Edition, *, copy: bool) -> str:
    """Make the change; the old file or the new one is there at any moment.

    Args:
        copy: write a new file in any case.

    Returns:
        what became of the weights: `IN_PLACE`, `MOVED` by the file system; in a new file that has
        its blocks in common with the old one `SHARED`, else `COPIED`.

    Raises:
        InputError, OSError: the change failed and the file is as it was.
    """
    new = edition.contents.new_weights
    stay = staying(opened, edition)
    if not copy and _worthwhile(opened, edition, stay):
        for number, distance in enumerate(distances(opened, edition, stay)):
            if number and _can_share(opened, edition):
                break  # rather than leave a gap
            with progress("adding", new) as advance:
                if rewrite(opened, edition, stay, distance, advance):
                    return MOVED if distance else IN_PLACE
    shared = _can_share(opened, edition)
    kept = sum(member.compressed_size for member in edition.kept)
    with progress("copying", kept + new) as advance:
        write_whole(opened, edition, advance)
    return SHARED if shared else COPIED


def _can_share(opened: Opened, edition: Edition) -> bool:
    """Whether a new file can have the blocks of the weights in common with the old one."""
    block = block_size(opened.file.fileno())
    weights = [member for member in edition.kept if is_weights(member)]
    aligned = all(opened.bundle.data_offset(member) % block == 0 for member in weights)
    return aligned and shares_blocks(opened.file, opened.path.parent)


def _worthwhile(opened: Opened, edition: Edition, stay: Stay) -> bool:
    """Whether a change in place moves fewer bytes than a copy, and leaves no large gap."""
    kept = {member.name for member in edition.kept}
    for member in opened.bundle.members.values():
        inside = stay.start <= member.header_offset < stay.end
        if not inside or member.name in kept:
            continue
        # A small file is written anew instead, so that it is what `pack` would make.
        if member.compressed_size >= _GAP or (is_weights(member) and opened.bundle.size <= _CHEAP):
            return False
    aside = stay.start + opened.bundle.size - stay.end
    return aside <= max(_CHEAP, stay.end - stay.start)
