"""Kinds of files by their first bytes, and the system of a native program."""

from __future__ import annotations

import struct
from enum import Enum

from runtime.machine.targets import SYSTEMS

SIZE = 65536
"""Bytes of a file that are enough."""

APE_WINDOWS, APE_UNIX = b"MZqFpD='", b"jartsr='"
APE_CMD = b"jartsr=' 2>nul\r\n"
"""To cmd.exe an unknown command whose complaint nobody reads, and a line of its own."""
APE_DEBUG = b"APEDBG='"
"""Keeps the file from loaders, so that its script is tried."""


class Kind(Enum):
    """The first program that a file is; the value is what a person reads."""

    APE_WINDOWS = "a script that Windows, too, takes for a program (MZ)"
    APE_UNIX = "a shell script"
    APE_CMD = "a script for shells and for Windows' cmd.exe"
    ELF = "an ELF program"
    PE = "a Windows program"
    MACHO = "a macOS program"
    GGUF = "bare GGUF weights"
    ZIP = "a ZIP without a start"
    OTHER = "no program that llamapack knows"

    @property
    def is_ape(self) -> bool:
        """Shells start it, `execve` alone does not."""
        return self in (Kind.APE_WINDOWS, Kind.APE_UNIX, Kind.APE_CMD)

    @property
    def for_windows(self) -> bool:
        return self in (Kind.APE_WINDOWS, Kind.PE)


_MAGICS = (
    (APE_WINDOWS, Kind.APE_WINDOWS),
    (APE_CMD, Kind.APE_CMD),
    (APE_UNIX, Kind.APE_UNIX),
    (APE_DEBUG, Kind.APE_UNIX),
    (b"\x7fELF", Kind.ELF),
    (b"MZ", Kind.PE),
    (b"\xcf\xfa\xed\xfe", Kind.MACHO),
    (b"GGUF", Kind.GGUF),
    (b"PK\x03\x04", Kind.ZIP),
    (b"PK\x05\x06", Kind.ZIP),
)

_ELF_ARCHS = {62: "x86_64", 183: "aarch64"}
_PE_ARCHS = {0x8664: "x86_64", 0xAA64: "aarch64"}
_MACHO_ARCHS = {0x01000007: "x86_64", 0x0100000C: "aarch64"}
# Linux and OpenBSD leave the byte at 0, as System V.
_ELF_SYSTEMS = {one.osabi: one.name for one in SYSTEMS.values() if one.osabi}


def kind_of(head: bytes) -> Kind:
    """The kind of the file that begins with `head`."""
    return next((kind for magic, kind in _MAGICS if head.startswith(magic)), Kind.OTHER)


def native_target(head: bytes) -> str | None:
    """The target, such as `linux-x86_64`, of a native program; None for scripts and the unknown.

    An ELF program that does not name its system counts as one for Linux.
    """
    kind = kind_of(head)
    try:
        if kind is Kind.ELF:
            [machine] = struct.unpack_from("<H", head, 18)
            return _target(_ELF_SYSTEMS.get(head[7], "linux"), _ELF_ARCHS.get(machine))
        if kind is Kind.MACHO:
            [machine] = struct.unpack_from("<I", head, 4)
            return _target("macos", _MACHO_ARCHS.get(machine))
        if kind is Kind.PE:
            [offset] = struct.unpack_from("<I", head, 0x3C)
            magic, machine = struct.unpack_from("<4sH", head, offset)
            return _target("windows", _PE_ARCHS.get(machine)) if magic == b"PE\0\0" else None
    except struct.error:
        pass
    return None


def _target(system: str, arch: str | None) -> str | None:
    return arch and f"{system}-{arch}"
