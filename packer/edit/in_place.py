"""Changes a bundle in place: rewrites the tail, and the front if its length allows. Weights keep
their place in the file, or all data after the front are moved by fallocate(2). Bytes are saved in
an undo file (packer/edit/undo.py) before they are overwritten."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packer.bundle.contents import ALIGNMENT, write
from packer.edit.edition import Edition, entry_end, is_heavy, put_aside
from packer.edit.moves import Move, make_move, movable
from packer.edit.opened import COPY, Opened, refuse_used
from packer.edit.undo import Change, Undo, take_back
from packer.io.console import Advance
from packer.io.copy import Nowhere
from packer.io.digest import Digest
from packer.io.file_system import UNSUPPORTED
from packer.io.output import OutputFile
from packer.io.sources import is_weights
from packer.zip.headers import aligned, stored_header
from packer.zip.writer import ZipWriter
from runtime.formats.zip_directory import Member, data_offset, read_directory


class InPlace(OutputFile):
    """A file whose bytes are replaced from the start on; `skip` leaves them as they are."""

    def __init__(self, file: io.FileIO) -> None:
        file.seek(0)
        super().__init__(file)


@dataclass(frozen=True)
class Stay:
    """The part of the file whose bytes stay as they are."""

    start: int
    """Bytes from the start of the file; with a new head, to the data of the first weights."""
    end: int
    members: Sequence[Member]  # those inside, in the order of the file


def staying(opened: Opened, edition: Edition) -> Stay:
    """What can stay in place: from the first weights (with a new head; else from the start of
    the file) to the end of the last heavy member, and members after it that are already in their
    order."""
    kept = edition.kept
    start = 0
    if edition.head:
        first = next((n for n, member in enumerate(kept) if is_weights(member)), len(kept))
        kept = kept[first:]
        start = opened.bundle.data_offset(kept[0]) if kept else 0
    heavy = [n for n, member in enumerate(kept) if is_heavy(member)]
    if edition.head and not heavy:
        return Stay(0, 0, [])
    offsets = [member.header_offset for member in opened.bundle.members.values()]
    end = min(offsets, default=opened.bundle.directory.offset)
    if heavy:
        end = entry_end(opened.bundle, opened.file, kept[heavy[-1]])
    count = heavy[-1] + 1 if heavy else 0
    names = {member.name for member in kept[:count]}
    order = (name for name in edition.contents.ordered if name not in names)
    for member, name in zip(kept[count:], order, strict=False):
        if (member.name, member.header_offset) != (name, end):
            break
        end = entry_end(opened.bundle, opened.file, member)
        count += 1
    return Stay(start, end, kept[:count])


def distances(opened: Opened, edition: Edition, stay: Stay) -> list[int]:
    """Bytes by which the staying part can be moved so that all fits and weights are aligned. The
    distance that leaves no gap comes first, then 0 if that leaves one; empty if there is none."""
    if edition.head is None:
        return [0]
    if not stay.members:
        return []
    measure = Nowhere()
    edition.head.write(measure, edition.epoch)
    first = stay.members[0]
    size = len(stored_header(first.entry, Digest(first.size, 0, "")))
    tight = aligned(measure.position, size, ALIGNMENT) - stay.start
    starts = [opened.bundle.data_offset(m) for m in stay.members if is_weights(m)]
    if any((start + tight) % ALIGNMENT for start in starts):
        return []
    # 0 is another multiple of the alignment, as `tight` is one then.
    return [tight, 0] if tight < 0 and tight % ALIGNMENT == 0 else [tight]


def rewrite(opened: Opened, edition: Edition, stay: Stay, distance: int, advance: Advance) -> bool:
    """Make the change in place, with one of `distances`; False if the file system cannot, and
    nothing was changed. Raises InputError or OSError if the file is in use by now, or the change
    failed and was taken back."""
    file, bundle = opened.file, opened.bundle
    size = os.fstat(file.fileno()).st_size
    move = None
    if distance:
        move = Move(stay.start + min(distance, 0), distance)
        if not movable(file, move):
            return False
    names = {member.name for member in stay.members}
    moving = [member for member in edition.kept if member.name not in names]
    digests = edition.digests(bundle, edition.kept)
    with put_aside(bundle, file, moving) as aside:
        places = {m.name: bundle.data_offset(m) + distance for m in stay.members}
        ranges = [
            (0, stay.start if edition.head else len(edition.start)),
            (stay.end, size - stay.end),
        ]
        change = Change(size, [r for r in ranges if r[1]], move)
        if not change.leaves_a_witness:
            return False
        # Hashing may have taken longer than those wait who open the file meanwhile.
        refuse_used(file, opened.path, COPY)
        try:
            undo = Undo(opened.path, file, change)
            if move:
                try:
                    make_move(file, move)
                except OSError as problem:
                    if problem.errno not in UNSUPPORTED:
                        raise
                    take_back(opened.path, file)
                    return False
                undo.moved()
            destination = InPlace(file)
            archive = _write_front(
                destination, edition, stay, distance=distance, digests=digests, places=places
            )
            destination.skip(stay.end + distance - destination.position)
            destination.end()  # so that holes in new weights are holes

            def keep(member: Member) -> None:
                aside.add_to(archive, member, digests[member.name])

            write(edition.contents, archive, advance, keep)
            destination.end()
            check_directory(file, [record.name for record in archive.records])
            os.fsync(file.fileno())
            undo.discard()
        except BaseException:
            take_back(opened.path, file)
            raise
    return True


def _write_front(
    destination: InPlace,
    edition: Edition,
    stay: Stay,
    *,
    distance: int,
    digests: Mapping[str, Digest],
    places: Mapping[str, int],
) -> ZipWriter:
    """Write the bytes before the staying data, and list those members at their new `places`."""
    members = list(stay.members)
    if edition.head:
        archive = edition.head.write(destination, edition.epoch)
        first = members.pop(0)
        digest, place = digests[first.name], places[first.name]
        header = archive.add_header(first, digest, alignment=ALIGNMENT, data_offset=place)
        archive.add_present(first, digest, header, place, plain=True)
    else:
        destination.write(edition.start)
        archive = ZipWriter(destination, edition.epoch)
    for member in members:
        header = member.header_offset + distance
        archive.add_present(member, digests[member.name], header, places[member.name])
    return archive


def check_directory(file: io.FileIO, names: list[str]) -> None:
    """Read the new directory as others will, while the change can still be taken back. Raises
    ValueError if it does not list these members."""
    directory = read_directory(file, "the changed file")
    if list(directory.members) != names:
        raise ValueError("the changed file has wrong contents")
    for member in directory.members.values():
        data_offset(file, member, "the changed file")
