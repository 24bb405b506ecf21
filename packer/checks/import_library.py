"""Rules for the import library that modules on Windows are linked with."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_MAGIC = b"!<arch>\n"
_HEADER = 60
_MACHINES = {"x86_64": 0x8664, "aarch64": 0xAA64}


def examine(data: bytes, arch: str, library: str, exports: frozenset[str]) -> list[str]:
    """What is wrong with an import library.

    Args:
        arch: `x86_64` or `aarch64`.
        library: the DLL that it must stand for.
        exports: the names that the DLL exports.

    Source: PE format, "Archive (Library) File Format" and "Import Library Format".
    """
    if not data.startswith(_MAGIC):
        return ["is not an archive"]
    names = set()
    for member in _members(data):
        if len(member) < 20 or struct.unpack_from("<HH", member) != (0, 0xFFFF):
            continue  # The archive's index, or one of the objects that end the import tables.
        (machine,) = struct.unpack_from("<H", member, 6)
        if machine != _MACHINES[arch]:
            return [f"is for another machine (0x{machine:04x})"]
        name, of, *_ = member[20:].split(b"\0")
        if of.decode("utf-8", "replace").lower() != library:
            return [f"imports from `{of.decode('utf-8', 'replace')}`, not from `{library}`"]
        names.add(name.decode("utf-8", "replace"))
    if missing := sorted(exports - names):
        return [f"lacks {len(missing)} functions of `{library}`, such as `{missing[0]}`"]
    return []


def _members(data: bytes) -> Iterator[bytes]:
    at = len(_MAGIC)
    while at + _HEADER <= len(data):
        size = data[at + 48 : at + 58].strip()
        length = int(size) if size.isdigit() else 0
        yield data[at + _HEADER : at + _HEADER + length]
        at += _HEADER + length + length % 2
