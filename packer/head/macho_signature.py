"""Ad-hoc signatures for thin Mach-O files, as `codesign -s -` makes them, on any machine.

Apple's processors start no program without a signature. An ad-hoc signature names nobody: it is a
list of SHA-256 hashes, one per 4 KiB of the file, in a blob at its end that LC_CODE_SIGNATURE
points to.

Sources: Apple's `mach-o/loader.h` (load commands, little-endian) and `kern/cs_blobs.h` of xnu (the
blobs, big-endian).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass

MAGIC_64 = 0xFEEDFACF
MH_EXECUTE = 2
CPU_X86_64, CPU_ARM64 = 0x01000007, 0x0100000C
LC_SEGMENT_64, LC_CODE_SIGNATURE = 0x19, 0x1D

SUPERBLOB, CODE_DIRECTORY, REQUIREMENTS, CMS = 0xFADE0CC0, 0xFADE0C02, 0xFADE0C01, 0xFADE0B01
SLOT_CODE_DIRECTORY, SLOT_REQUIREMENTS, SLOT_CMS = 0, 2, 0x10000
AD_HOC = 2
"""The CodeDirectory's flag for a signature without certificate."""
SHA256 = 2
MAIN_BINARY = 1
"""The `execSegFlags` bit of programs."""

DIRECTORY = struct.Struct(">IIIIIIIIIBBBBIIIIQQQQ")
"""A CodeDirectory of version 0x20400 up to its identifier."""
_VERSION = 0x20400
_PAGE_BITS = 12

_HEADER = struct.Struct("<IiiIIIII")
_SEGMENT = struct.Struct("<II16sQQQQiiII")
_SECTION = struct.Struct("<16s16sQQIIIIIIII")
_LINKEDIT_DATA = struct.Struct("<IIII")
_ALIGN = 16
"""Bytes: the signature begins and ends on a multiple of it."""


@dataclass(frozen=True)
class _Layout:
    """The parts that a signature changes or describes; offsets in bytes."""

    cpu: int
    filetype: int
    count: int
    commands_end: int
    first_section: int
    """Load commands can grow up to here."""
    text: tuple[int, int]
    """File offset and size of `__TEXT`."""
    linkedit: int
    """Offset of the load command of `__LINKEDIT`."""
    signature: int | None
    """Offset of LC_CODE_SIGNATURE."""


def sign(data: bytes, identifier: str) -> bytes:
    """The file with an ad-hoc signature, which replaces an existing one.

    Args:
        data: a thin 64-bit little-endian Mach-O file whose `__LINKEDIT` comes last.
        identifier: the program's name in the logs of the system.

    Raises:
        ValueError: the file is not such a file, or has no room for another load command.
    """
    try:
        return _signed(data, identifier)
    except struct.error as error:
        raise ValueError(f"the Mach-O file is cut off ({error})") from None


def commands(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Type, offset and size of each load command of a thin 64-bit Mach-O file.

    Raises:
        ValueError: it is not such a file, or its commands are cut off.
    """
    if len(data) < _HEADER.size:
        raise ValueError("not a Mach-O file")
    magic, _, _, _, count, size, _, _ = _HEADER.unpack_from(data)
    if magic != MAGIC_64:
        raise ValueError("not a thin 64-bit Mach-O file")
    at, end = _HEADER.size, _HEADER.size + size
    if end > len(data):
        raise ValueError("load commands are cut off")
    for _ in range(count):
        if at + 8 > end:
            raise ValueError("load commands are cut off")
        kind, length = struct.unpack_from("<II", data, at)
        if length < 8 or at + length > end:
            raise ValueError("load commands are cut off")
        yield kind, at, length
        at += length


def _signed(data: bytes, identifier: str) -> bytes:
    layout = _layout(data)
    out = bytearray(data)
    if layout.signature is not None:
        _, _, limit, size = _LINKEDIT_DATA.unpack_from(data, layout.signature)
        if limit % _ALIGN or limit + size != len(data):
            raise ValueError("the old signature is not at the end of the file")
        del out[limit:]
        command = layout.signature
    else:
        command = _new_command(out, layout)
        out += bytes(-len(out) % _ALIGN)
    limit = len(out)
    size = _size(limit, identifier)
    _LINKEDIT_DATA.pack_into(out, command, LC_CODE_SIGNATURE, _LINKEDIT_DATA.size, limit, size)
    _stretch(out, layout, limit + size)
    blob = _blob(bytes(out), layout, identifier)
    return bytes(out) + blob + bytes(size - len(blob))


def _layout(data: bytes) -> _Layout:
    text = linkedit = signature = None
    first_section = last_end = len(data)
    end = _HEADER.size
    for kind, at, length in commands(data):
        end = at + length
        if kind == LC_CODE_SIGNATURE:
            signature = at
        elif kind == LC_SEGMENT_64:
            _, _, name, _, _, offset, size, _, _, sections, _ = _SEGMENT.unpack_from(data, at)
            if name.rstrip(b"\0") == b"__TEXT":
                text = offset, size
            elif name.rstrip(b"\0") == b"__LINKEDIT":
                linkedit, last_end = at, offset + size
            for i in range(sections):
                place = at + _SEGMENT.size + i * _SECTION.size
                start = _SECTION.unpack_from(data, place)[4]
                if start:
                    first_section = min(first_section, start)
    if text is None or linkedit is None:
        raise ValueError("no __TEXT or no __LINKEDIT segment")
    if last_end != len(data):
        raise ValueError("__LINKEDIT does not end where the file ends")
    _, cpu, _, filetype, count, _, _, _ = _HEADER.unpack_from(data)
    return _Layout(cpu, filetype, count, end, first_section, text, linkedit, signature)


def _new_command(out: bytearray, layout: _Layout) -> int:
    """Make room for LC_CODE_SIGNATURE after the other commands; returns its offset."""
    at = layout.commands_end
    if at + _LINKEDIT_DATA.size > layout.first_section or any(out[at : at + _LINKEDIT_DATA.size]):
        raise ValueError("no room for LC_CODE_SIGNATURE after the load commands")
    struct.pack_into(
        "<II", out, 16, layout.count + 1, at + _LINKEDIT_DATA.size - _HEADER.size
    )  # ncmds, sizeofcmds
    return at


def _stretch(out: bytearray, layout: _Layout, end: int) -> None:
    """Let `__LINKEDIT` reach to `end`."""
    fields = list(_SEGMENT.unpack_from(out, layout.linkedit))
    page = 0x4000 if layout.cpu == CPU_ARM64 else 0x1000
    size = end - fields[5]
    fields[4], fields[6] = size + -size % page, size  # vmsize, filesize
    _SEGMENT.pack_into(out, layout.linkedit, *fields)


def _size(limit: int, identifier: str) -> int:
    """Bytes of the signature of `limit` bytes, with its padding."""
    pages = (limit + (1 << _PAGE_BITS) - 1) >> _PAGE_BITS
    directory = DIRECTORY.size + len(identifier.encode()) + 1 + 32 * (2 + pages)
    size = 12 + 3 * 8 + directory + 12 + 8
    return size + -size % _ALIGN


def _blob(signed: bytes, layout: _Layout, identifier: str) -> bytes:
    """The signature of all of `signed`."""
    requirements = struct.pack(">III", REQUIREMENTS, 12, 0)
    blobs = {
        SLOT_CODE_DIRECTORY: _directory(signed, layout, identifier, requirements),
        SLOT_REQUIREMENTS: requirements,
        SLOT_CMS: struct.pack(">II", CMS, 8),
    }
    at = 12 + 8 * len(blobs)
    index = b""
    for slot, blob in blobs.items():
        index += struct.pack(">II", slot, at)
        at += len(blob)
    return struct.pack(">III", SUPERBLOB, at, len(blobs)) + index + b"".join(blobs.values())


def _directory(signed: bytes, layout: _Layout, identifier: str, requirements: bytes) -> bytes:
    name = identifier.encode() + b"\0"
    # Special slots count backwards from the first page's hash: -1 is Info.plist, of which there is
    # none, -2 the requirements.
    special = hashlib.sha256(requirements).digest() + bytes(32)
    pages = [
        hashlib.sha256(signed[at : at + (1 << _PAGE_BITS)]).digest()
        for at in range(0, len(signed), 1 << _PAGE_BITS)
    ]
    hashes_at = DIRECTORY.size + len(name) + len(special)
    head = DIRECTORY.pack(
        CODE_DIRECTORY, hashes_at + 32 * len(pages), _VERSION, AD_HOC,
        hashes_at, DIRECTORY.size, 2, len(pages), len(signed),
        32, SHA256, 0, _PAGE_BITS, 0, 0, 0, 0, 0,
        *layout.text, MAIN_BINARY if layout.filetype == MH_EXECUTE else 0,
    )  # fmt: skip
    return head + name + special + b"".join(pages)
