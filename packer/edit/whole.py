"""Writes a changed bundle as a new file; weights share blocks with the old one where they can."""

from __future__ import annotations

import shutil

from packer.bundle import ALIGNMENT, write
from packer.edit.edition import Edition, check_crc
from packer.edit.entries import entry_end, is_heavy
from packer.edit.new_file import replacement
from packer.edit.opened import Opened
from packer.io.digest import Digest, Hasher
from packer.io.output import OutputFile
from packer.io.progress import Advance
from packer.io.ranges import append_range, shares_blocks
from packer.io.weights_file import is_weights
from packer.zip.writer import ZipWriter
from runtime.errors import InputError
from runtime.formats.zip_directory import Member


def write_whole(opened: Opened, edition: Edition, advance: Advance) -> None:
    """Write the new file and put it in place of the old one.

    Args:
        advance: told about bytes of weights.

    Raises:
        InputError, OSError: it failed; the old file is as it was.
    """
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
            known = check_crc(opened.bundle, member, hasher.digest())
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
