"""The file system of the file, and the file's size."""

from __future__ import annotations

import os
from collections.abc import Iterator

from runtime.doctor.finding import Finding, note, ok, problem
from runtime.doctor.subject import Subject
from runtime.machine.head import Kind
from runtime.machine.machine import Machine
from runtime.machine.mounts import mount_of

FOUR_GIB = 1 << 32
"""Bytes: a program for Windows and a file on FAT32 have to be smaller."""

_FAT = ("vfat", "msdos")


def noexec(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """File systems from which no program starts, such as /tmp of hardened servers."""
    if not subject or machine.system == "windows" or subject.kind is Kind.GGUF:
        return
    mount = mount_of(machine, subject.path)
    # Only Linux' Python tells the flags of a mount by name.
    flag = getattr(os, "ST_NOEXEC", 0)
    # Containers may come without /proc.
    if not (os.statvfs(subject.path).f_flag & flag or (mount and "noexec" in mount.options)):
        yield ok("noexec", "its file system allows programs")
        return
    point = f" ({mount.point})" if mount else ""
    yield problem(
        "noexec",
        f"no program starts from its file system{point}, which is mounted noexec",
        f"`sh {subject.shell}` starts it all the same"
        if subject.kind.is_ape
        else f"`cp {subject.shell} ~/` and start it from there",
        *([f"`sudo mount -o remount,exec {mount.point}`"] if mount else []),
    )


def windows_size(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """Windows starts no program of 4 GiB or more."""
    if not subject or not subject.kind.for_windows:
        return
    what = f"it has {subject.size:,} bytes; Windows starts programs of less than {FOUR_GIB:,}"
    if subject.size < FOUR_GIB:
        yield ok("4 GiB", what)
        return
    mend = (
        "`llamapack pack MODEL.gguf --windows external` makes an `.exe` without weights that finds "
        "them beside it",
        f"or start any smaller bundle with this one's weights: `SMALL.exe -m {subject.shell}`",
    )
    if machine.system == "windows":
        yield problem("4 GiB", what, *mend)
    else:
        yield note("4 GiB", f"{what} (here it starts)", *mend)


def fat32(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """FAT32, the format of most sticks, has room for 4 GiB less one byte in a file."""
    if not subject:
        return
    mount = mount_of(machine, subject.path)
    if subject.size == FOUR_GIB - 1:
        yield problem(
            "FAT32",
            f"it has {subject.size:,} bytes, the most that FAT32 holds: its end was cut off",
            "copy it again by way of a stick formatted as exFAT, or in parts of less than 4 GiB",
        )
    elif subject.size >= FOUR_GIB:
        yield note("FAT32", "it is too large for a stick formatted as FAT32; exFAT holds it")
    elif mount and mount.type in _FAT:
        yield note(
            "FAT32",
            f"it is on FAT ({mount.point}), which has no executable bits: whether programs start "
            "there depends on how it is mounted",
            f"`sh {subject.shell}`" if subject.kind.is_ape else f"`cp {subject.shell} ~/`",
        )


def antivirus(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """Some scanners take a program that unpacks another one for a virus."""
    if not subject or machine.system != "windows":
        return
    folder = subject.path.resolve().parent
    yield note(
        "antivirus",
        "scanners may take a program that unpacks another for a virus; if it vanishes or is "
        "refused, compare its SHA-256 with the publisher's before you allow it",
        f"`Get-FileHash -LiteralPath '{subject.path}'`, then "
        f"`Add-MpPreference -ExclusionPath '{folder}'` as administrator",
    )
