"""Applies a change to a bundle in the way that moves the fewest bytes."""

from __future__ import annotations

import shutil

from packer.bundle.contents import ALIGNMENT, write
from packer.bundle.extraction import check_crc
from packer.edit.edition import Edition, entry_end, is_heavy
from packer.edit.in_place import Stay, distances, rewrite, staying
from packer.edit.opened import Opened, replacement
from packer.io.console import Advance, progress
from packer.io.copy import append_range, shares_blocks
from packer.io.digest import Digest, Hasher
from packer.io.file_system import block_size
from packer.io.output import OutputFile
from packer.io.sources import is_weights
from packer.zip.writer import ZipWriter
from runtime.errors import InputError
from runtime.formats.zip_directory import Member

IN_PLACE, MOVED, SHARED, COPIED = "in place", "moved", "shared", "copied"

_CHEAP = 64 << 20  # bytes; may be put aside whatever the size of the rest
_GAP = 1 << 20  # bytes; a smaller member leaves a gap where it was


def apply(opened: Opened, edition: Edition, *, copy: bool) -> str:
    """Make the change; at any moment the file is the old one or the new one. Raises InputError or
    OSError if it failed and the file is as it was.

    The result tells what became of the weights: `IN_PLACE`; `MOVED` by the file system; in a new
    file (always with `copy`) `SHARED` blocks with the old one, or `COPIED`.
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


def write_whole(opened: Opened, edition: Edition, advance: Advance) -> None:
    """Write a new file and put it in place of the old one. If it fails, the old file is as it
    was."""
    bundle, file = opened.bundle, opened.file
    kept = edition.kept
    heavy = [n for n, member in enumerate(kept) if is_heavy(member)]
    # Without a new head the engines come before the weights.
    first = [] if edition.head or not heavy else kept[: heavy[-1] + 1]
    digests = edition.digests(bundle, [member for member in kept if not is_weights(member)])
    _check_space(opened, sum(member.compressed_size for member in kept))
    with replacement(opened.path, file) as output:
        if edition.head:
            archive = edition.head.write(output, edition.epoch)
        else:
            offsets = (member.header_offset for member in bundle.members.values())
            front = min(offsets, default=bundle.directory.offset)
            append_range(file, 0, front, output)
            output.patch(0, edition.start)
            archive = ZipWriter(output, edition.epoch)

        def keep(member: Member) -> None:
            if is_weights(member):
                _weights(opened, edition, member, archive=archive, output=output, advance=advance)
            else:
                _entry(opened, member, digests[member.name], archive, output)

        for member in first:
            keep(member)
        write(edition.contents, archive, advance, keep)


def _weights(
    opened: Opened,
    edition: Edition,
    member: Member,
    *,
    archive: ZipWriter,
    output: OutputFile,
    advance: Advance,
) -> None:
    known = edition.known(member)
    header = archive.add_header(
        member, known or Digest(member.size, member.crc32, ""), alignment=ALIGNMENT
    )
    start = opened.bundle.data_offset(member)
    place = output.position
    if known:
        append_range(opened.file, start, member.size, output, advance=advance)
    else:
        with Hasher() as hasher:
            append_range(
                opened.file, start, member.size, output, use=hasher.update, advance=advance
            )
            known = hasher.digest()
            check_crc(opened.bundle, member, known.crc32)
    archive.add_present(member, known, header, place, plain=True)


def _entry(
    opened: Opened, member: Member, digest: Digest, archive: ZipWriter, output: OutputFile
) -> None:
    header, shift = output.position, output.position - member.header_offset
    end = entry_end(opened.bundle, opened.file, member)
    append_range(opened.file, member.header_offset, end - member.header_offset, output)
    archive.add_present(member, digest, header, opened.bundle.data_offset(member) + shift)


def _check_space(opened: Opened, needed: int) -> None:
    """Find out before gigabytes were written, unless blocks are shared."""
    free = shutil.disk_usage(opened.path.parent).free
    if free < needed and not shares_blocks(opened.file, opened.path.parent):
        raise InputError(
            f"no space for a new {opened.path}: it needs {needed:,} bytes, its disk has {free:,}",
            "Free some space, or move the file to another disk.",
        )
