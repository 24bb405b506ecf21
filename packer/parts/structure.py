"""What the parts say about themselves where no list of hashes does: their ZIP archive.

Its end record tells how long the file is, and its directory where each member begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mode
from typing import BinaryIO

from runtime.bundle import Bundle
from runtime.errors import InputError
from runtime.parts import Parts
from runtime.zip_directory import (
    END,
    END64,
    END_MAGIC,
    LOCAL,
    LOCAL_MAGIC,
    LOCATOR64,
    LOCATOR64_MAGIC,
    MAX16,
    MAX32,
    Member,
    read_directory,
)

RENAME = "Give each part the name that it was published with."
"""The way out where parts were swapped."""
TAIL = MAX16 + END.size + LOCATOR64.size
"""Bytes at the end of a file that have its end record, and the locator in front of that."""
_TIP = "Download or copy that part again."


class Suspect(InputError):
    """A part that is not as it should be."""

    def __init__(self, message: str, index: int, tip: str = _TIP) -> None:
        super().__init__(message, tip)
        self.index = index
        """Of the part."""


def opened(parts: Parts) -> Bundle:
    """The bundle that the parts are; checks lengths, the directory and where members begin.

    Reads a few bytes per member.

    Raises:
        Suspect: a part is cut off, or does not hold what the directory says.
    """
    _check_length(parts)
    file = parts.open()
    try:
        bundle = Bundle(parts.whole, file, read_directory(file, str(parts.whole)))
        _check_members(parts, bundle, file)
    except Suspect:
        file.close()
        raise
    except InputError as problem:
        file.close()
        # The length is right, so the directory itself, at the end, is not.
        raise Suspect(
            f"{parts.paths[-1]} is damaged: {problem.message}", len(parts.paths) - 1
        ) from None
    return bundle


def _check_length(parts: Parts) -> None:
    last = len(parts.paths) - 1
    with parts.open() as file:
        surplus = _surplus(file, parts.size)
    if surplus is None:
        raise _without_end(parts)
    if not surplus:
        return
    odd = _odd(parts.sizes[:-1], surplus)
    path, size = parts.paths[odd], parts.sizes[odd]
    if surplus < 0:
        raise Suspect(f"{path} is truncated: it has {size:,} bytes, {-surplus:,} too few", odd)
    raise Suspect(
        f"{path} is too long: it has {size:,} bytes, and with it all parts have {surplus:,} more "
        f"than {parts.paths[last].name} says at its end",
        odd,
    )


def _odd(sizes: Sequence[int], surplus: int) -> int:
    """Which of these parts has another length than it should, if one has."""
    for index, size in enumerate(sizes):
        if size - surplus in (*sizes[:index], *sizes[index + 1 :]):
            return index
    usual = mode(sizes) if sizes else 0
    return next((index for index, size in enumerate(sizes) if size != usual), 0)


def _without_end(parts: Parts) -> Suspect:
    last = len(parts.paths) - 1
    for path in parts.paths[:-1]:
        with path.open("rb") as file:
            if _surplus(file, file.seek(0, 2)) is not None:
                return Suspect(
                    f"{path} holds what belongs into {parts.paths[last].name}, or a later part: "
                    "their names are swapped",
                    last,
                    RENAME,
                )
    return Suspect(
        f"{parts.paths[last]} has no ZIP end record: it is cut off, or "
        f"{parts.name.other(last + 1)} is missing",
        last,
    )


def _surplus(file: BinaryIO, size: int) -> int | None:
    """Bytes that there are more than the end record says; None if there is no end record."""
    start = max(0, size - TAIL)
    file.seek(start)
    return surplus_at(file.read(size - start), start)


def surplus_at(tail: bytes, start: int) -> int | None:
    """Bytes that a file, of which `tail` are the last, has more than its end record says.

    Args:
        start: offset of `tail` in the file.

    Returns:
        None if there is no end record.
    """
    found: int | None = None
    position = tail.rfind(END_MAGIC)
    # The bytes of the magic may occur by chance behind the record: one that fits goes first.
    while position >= 0 and found != 0:
        stated = _stated_place(tail, position)
        if stated is not None:
            surplus = start + position - stated
            found = surplus if found is None or not surplus else found
        position = tail.rfind(END_MAGIC, 0, position)
    return found


def _stated_place(tail: bytes, position: int) -> int | None:
    """Where in the file the end record at `position` of `tail` says that it is."""
    if position + END.size > len(tail):
        return None
    *_, count, length, offset, comment = END.unpack_from(tail, position)
    if position + END.size + comment > len(tail):
        return None
    if MAX32 not in (length, offset) and count != MAX16:
        return int(offset + length)
    place = position - LOCATOR64.size
    if place < 0 or tail[place : place + 4] != LOCATOR64_MAGIC:
        return None
    return int(LOCATOR64.unpack_from(tail, place)[2] + END64.size + LOCATOR64.size)


def _check_members(parts: Parts, bundle: Bundle, file: BinaryIO) -> None:
    for member in bundle.members.values():
        if _begins(file, member.header_offset, member):
            continue
        index = parts.at(member.header_offset)
        inside = member.header_offset - parts.offsets[index]
        for other, path in enumerate(parts.paths):
            if other != index and inside < parts.sizes[other]:
                with path.open("rb") as part:
                    swapped = _begins(part, inside, member)
                if swapped:
                    raise Suspect(
                        f"{path} holds what belongs into {parts.paths[index].name}: their names "
                        "are swapped",
                        index,
                        RENAME,
                    )
        raise Suspect(
            f"{parts.paths[index]} is damaged, or is another part: member {member.name} does not "
            "begin where the ZIP directory says",
            index,
        )


def _begins(file: BinaryIO, offset: int, member: Member) -> bool:
    file.seek(offset)
    header = file.read(LOCAL.size)
    if len(header) < LOCAL.size or header[:4] != LOCAL_MAGIC:
        return False
    name = file.read(LOCAL.unpack(header)[9])
    return member.name in (name.decode("utf-8", "replace"), name.decode("cp437", "replace"))
