"""The place of the file: its file system, its size, and marks that browsers leave on downloads."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from runtime.doctor.check import Finding, Subject, note, ok, problem
from runtime.machine.head import Kind
from runtime.machine.machine import Machine, mount_of

FOUR_GIB = 1 << 32
"""Bytes: a program for Windows and a file on FAT32 have to be smaller."""

_FAT = ("vfat", "msdos")
_ATTRIBUTE = "com.apple.quarantine"
_STREAM = "Zone.Identifier"
_FROM_THE_INTERNET = 3


def noexec(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """File systems from which no program starts, such as /tmp of hardened servers."""
    if not subject or machine.system == "windows" or subject.kind is Kind.GGUF:
        return
    mount = mount_of(machine, subject.path)
    # Python has a name for this flag only on Linux.
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


def quarantine(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """macOS' quarantine and Windows' mark of the web."""
    if not subject:
        return
    if machine.system == "windows":
        yield from _zone(subject.path)
    elif machine.system == "macos":
        # Python reads no extended attributes on macOS.
        found = machine.output("xattr", "-p", _ATTRIBUTE, subject.path)
        if found is None:
            yield ok("quarantine", "it is not in quarantine")
        else:
            yield problem(
                "quarantine",
                f"macOS holds it in quarantine ({found.strip()}) and refuses to start it",
                f"`xattr -d {_ATTRIBUTE} {subject.shell}`",
            )
    elif machine.system == "linux" and _linux_has(subject.path):
        name = f"user.{_ATTRIBUTE}"
        yield note(
            "quarantine",
            "it carries macOS' quarantine mark, which does nothing here, but may travel with it",
            f"`setfattr -x {name} {subject.shell}`",
        )


def _linux_has(path: Path) -> bool:
    try:
        return f"user.{_ATTRIBUTE}" in os.listxattr(path)
    except OSError:
        return False


def _zone(path: Path) -> Iterator[Finding]:
    """NTFS keeps the mark in a second stream of the file, which a path with a colon opens."""
    try:
        text = Path(f"{path}:{_STREAM}").read_text("utf-8", "replace")
    except OSError:
        text = ""
    zone = re.search(r"^ZoneId=(\d+)", text, re.MULTILINE)
    if zone and int(zone[1]) >= _FROM_THE_INTERNET:
        quoted = str(path).replace("'", "''")
        yield problem(
            "quarantine",
            "Windows marks it as downloaded from the Internet and warns instead of starting it",
            f"`Unblock-File -LiteralPath '{quoted}'` in PowerShell",
        )
    else:
        yield ok("quarantine", "Windows does not mark it as downloaded")
