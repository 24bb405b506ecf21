"""Marks that browsers leave on downloads, for which systems refuse to start them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from runtime.doctor.finding import Finding, note, ok, problem
from runtime.doctor.subject import Subject
from runtime.machine.machine import Machine

ATTRIBUTE = "com.apple.quarantine"
_STREAM = "Zone.Identifier"
_FROM_THE_INTERNET = 3


def quarantine(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """macOS' quarantine and Windows' mark of the web."""
    if not subject:
        return
    if machine.system == "windows":
        yield from _zone(subject.path)
    elif machine.system == "macos":
        # Python reads no extended attributes on macOS.
        found = machine.output("xattr", "-p", ATTRIBUTE, subject.path)
        if found is None:
            yield ok("quarantine", "it is not in quarantine")
        else:
            yield problem(
                "quarantine",
                f"macOS holds it in quarantine ({found.strip()}) and refuses to start it",
                f"`xattr -d {ATTRIBUTE} {subject.shell}`",
            )
    elif machine.system == "linux" and _linux_has(subject.path):
        name = f"user.{ATTRIBUTE}"
        yield note(
            "quarantine",
            "it carries macOS' quarantine mark, which does nothing here, but may travel with it",
            f"`setfattr -x {name} {subject.shell}`",
        )


def _linux_has(path: Path) -> bool:
    try:
        return f"user.{ATTRIBUTE}" in os.listxattr(path)
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
